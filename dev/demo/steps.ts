/** What happens in more than one story. Amounts in cents. */
import { randomUUID } from 'node:crypto';
import { callApi, confirmHold, createHold, UnexpectedAnswer, waitForHold } from '../demo-client';
import type { Answer, Hold } from '../demo-client';
import { money } from '../terminal';
import type { Stage } from './stage';
import { CURRENCY } from './story';
import type { Story } from './story';

export const WAIT_MS = 20_000;

export interface Telling {
  readonly title: string;
  readonly about: string;
  /** USD when absent */
  readonly currency?: string;
  /** @returns the id of the workflow it was about */
  readonly tell: (stage: Stage, story: Story) => Promise<string>;
}

export function ask(
  stage: Stage,
  story: Story,
  amount: number,
  extra: Readonly<Record<string, unknown>> = {},
  apiUrl = stage.apiUrl,
): Promise<Hold> {
  const order_no = `DEMO-${randomUUID().slice(0, 8)}`;
  const body = { order_no, amount, currency: CURRENCY, channel: 'stripe', ...extra };
  return story.step(
    amount,
    (hold) => `asked for: ${hold.pre_auth_no}, ${hold.status}`,
    () => createHold(apiUrl, stage.seed.apiKey, body),
  );
}

export async function confirm(stage: Stage, story: Story, hold: Hold): Promise<void> {
  await story.step(
    hold.amount,
    ({ status }) => `held: the guest has confirmed, ${status}`,
    async () => {
      await confirmHold(stage.stripeUrl, hold);
      return waitForHold(stage.apiUrl, stage.seed.apiKey, hold.pre_auth_no, ['requires_capture'], WAIT_MS);
    },
  );
}

/** Answers 200 when it is captured, 202 when that takes longer than a request should wait. */
export async function capture(
  apiUrl: string,
  stage: Stage,
  hold: Hold,
  amount: number,
): Promise<Answer<Hold>> {
  const path = `/api/v1/pre-auth/${hold.pre_auth_no}/capture`;
  const answer = await callApi<Hold>(apiUrl, stage.seed.apiKey, path, {
    body: { amount },
    idempotencyKey: randomUUID(),
  });
  if (answer.status >= 300) {
    throw new UnexpectedAnswer(
      answer.status,
      answer.code,
      `capture of ${money(amount, CURRENCY)}`,
      answer.message,
    );
  }
  return answer;
}
