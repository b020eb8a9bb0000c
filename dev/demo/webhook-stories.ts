/** Two stories of news that had to be told more than once. Amounts in cents. */
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../stack/ports';
import { webhookDeliveryWorkflowId } from '../../src/workflows/messages';
import { Receiver } from './receiver';
import type { ReceivedRequest } from './receiver';
import { holdsBothWays, holdsByHmac, holdsByLibrary } from './signatures';
import type { Stage } from './stage';
import { ask, capture, confirm, WAIT_MS } from './steps';
import type { Telling } from './steps';
import type { Story } from './story';
import { WebhookClient } from './webhook-client';
import type { Attempt, Endpoint, Notification, NotificationDetail } from './webhook-client';

const AMOUNT = 50_000;
const CAPTURED = 32_000;
/** The first rungs of the ladder, in seconds. */
const LADDER = [1, 2, 4, 8] as const;
const CLOSED_MS = 4_000;

const STUMBLING: Telling = {
  title: '6  A shop that stumbles',
  about: 'The shop’s server answers 500 twice before it takes the news; every pause is a durable timer.',
  tell: (stage, story) => {
    const seen = new Map<string, number>();
    const shop = new Receiver(({ headers }) => {
      const id = String(headers['webhook-id']);
      seen.set(id, (seen.get(id) ?? 0) + 1);
      return (seen.get(id) ?? 0) <= 2 ? 500 : 200;
    });
    return withEndpoint(stage, shop, ['pre_auth.captured'], async (endpoint, client, port) => {
      await shop.listen(port);
      const paymentNo = await depositAndBill(stage, story);
      const [told] = await story.step(undefined, 'pre_auth.captured told: 500, 500, taken', () =>
        client.waitFor(endpoint.id, paymentNo, areTold(1), WAIT_MS),
      );
      const detail = await client.read(told?.id ?? '');
      showTimeline(story, detail.attempt_log);
      checkAttempts(story, detail, ['500', '500', '200']);
      checkSignatures(story, shop.received, endpoint.secret);
      const ids = new Set(shop.received.map(({ headers }) => headers['webhook-id']));
      const bodies = new Set(shop.received.map(({ body }) => body));
      story.check(
        ids.size === 1 && bodies.size === 1,
        'For the shop',
        `${shop.received.length} requests, ${ids.size} webhook-id, ${bodies.size} body: a repeat can be told from news`,
      );
      return webhookDeliveryWorkflowId(detail.id);
    });
  },
};

const CLOSED: Telling = {
  title: '7  A shop that is closed',
  about: 'Nobody answers at the shop’s address until it opens again. The money does not wait for it.',
  tell: (stage, story) => {
    const shop = new Receiver();
    const events = ['pre_auth.authorized', 'pre_auth.captured'];
    return withEndpoint(stage, shop, events, async (endpoint, client, port) => {
      const paymentNo = await depositAndBill(stage, story);
      await story.step(
        undefined,
        (waiting: readonly Notification[]) =>
          `nobody there for ${CLOSED_MS / 1000} s: ${attemptsOf(waiting)} connections refused`,
        async () => {
          await sleep(CLOSED_MS);
          return client.waitFor(endpoint.id, paymentNo, (all) => all.every(isInRetry), WAIT_MS);
        },
      );
      await shop.listen(port);
      const told = await story.step(undefined, 'the shop is open again: both events told', () =>
        client.waitFor(endpoint.id, paymentNo, areTold(2), WAIT_MS),
      );
      const details = await Promise.all(told.map(({ id }) => client.read(id)));
      const captured = details.find(({ event }) => event === 'pre_auth.captured');
      if (captured === undefined) throw new Error('there is no notification of the capture');
      showTimeline(story, captured.attempt_log);
      const refused = captured.attempt_log.slice(0, -1).map(() => 'CONNECT_FAILED');
      checkAttempts(story, captured, [...refused, '200']);
      checkSignatures(story, shop.received, endpoint.secret);
      const got = shop.received.map(({ headers }) => String(headers['x-webhook-event']));
      const areOnce = got.toSorted().join() === events.join() && captured.attempts > 1;
      story.check(areOnce, 'For the shop', `${got.join(' and ')}${areOnce ? ', once each' : ''}`);
      return webhookDeliveryWorkflowId(captured.id);
    });
  },
};

export const WEBHOOK_STORIES: readonly Telling[] = [STUMBLING, CLOSED];

/** An endpoint for the length of a story, on a port where nobody listens yet. */
async function withEndpoint(
  stage: Stage,
  shop: Receiver,
  events: readonly string[],
  tell: (endpoint: Endpoint, client: WebhookClient, port: number) => Promise<string>,
): Promise<string> {
  const client = new WebhookClient(stage.apiUrl, stage.seed.apiKey);
  const port = await freePort();
  const endpoint = await client.addEndpoint(`http://127.0.0.1:${port}/holdfast`, events);
  // Nobody listens there after the story, and the demo's merchant would be told of every later hold in vain.
  const remove = () => client.deleteEndpoint(endpoint.id);
  stage.undo.add(remove);
  try {
    return await tell(endpoint, client, port);
  } finally {
    stage.undo.delete(remove);
    shop.close();
    await remove();
  }
}

/** @returns the hold's number */
async function depositAndBill(stage: Stage, story: Story): Promise<string> {
  const hold = await ask(stage, story, AMOUNT);
  await confirm(stage, story, hold);
  await story.step(
    CAPTURED,
    ({ data }) => `captured: ${data.status}`,
    () => capture(stage.apiUrl, stage, hold, CAPTURED),
  );
  return hold.pre_auth_no;
}

const areTold = (count: number) => (notifications: readonly Notification[]) =>
  notifications.filter(({ status }) => status === 'success').length === count;

const isInRetry = ({ status }: Notification) => status === 'retrying';

const attemptsOf = (notifications: readonly Notification[]) =>
  notifications.reduce((sum, { attempts }) => sum + attempts, 0);

const answerOf = ({ status_code: status, error }: Attempt) => String(status ?? error);

function showTimeline(story: Story, attempts: readonly Attempt[]): void {
  const pauses = pausesMs(attempts);
  const rows = attempts.map((attempt, i) => {
    const pauseMs = pauses[i];
    const pause = pauseMs === undefined ? '' : `${(pauseMs / 1000).toFixed(1)} s`;
    return [String(attempt.attempt), attempt.started_at.slice(11, 23), answerOf(attempt), pause];
  });
  story.table([['attempt', 'when (UTC)', 'answer', 'pause'], ...rows]);
}

/** From the end of each attempt to the beginning of the next one. */
function pausesMs(attempts: readonly Attempt[]): number[] {
  return attempts.slice(1).map((next, i) => {
    const { started_at: startedAt = '', duration_ms: durationMs = 0 } = attempts[i] ?? {};
    return Date.parse(next.started_at) - Date.parse(startedAt) - durationMs;
  });
}

/** What was answered, and that no pause was shorter than its rung. A busy machine makes them longer. */
function checkAttempts(
  story: Story,
  { status, attempt_log: log }: NotificationDetail,
  answers: readonly string[],
): void {
  const unitMs = Number(process.env['WEBHOOK_INITIAL_BACKOFF'] || 1) * 1000;
  const rungs = LADDER.slice(0, log.length - 1);
  // Times are told in whole milliseconds.
  const keptPauses = pausesMs(log).every((pauseMs, i) => pauseMs >= (rungs[i] ?? Infinity) * unitMs - 2);
  const given = log.map(answerOf);
  story.check(
    status === 'success' && given.join() === answers.join() && keptPauses,
    'Holdfast',
    `${log.length} attempts: ${counted(given)}; pauses of at least ${rungs.join(' s, ')} s`,
  );
}

/** `500, 500, 200` as `2 x 500, 200`. */
function counted(answers: readonly string[]): string {
  const count = (answer: string) => answers.filter((other) => other === answer).length;
  return [...new Set(answers)].map((one) => (count(one) > 1 ? `${count(one)} x ${one}` : one)).join(', ');
}

/** Both families of signatures of everything that came, and that a forged body is told from a true one. */
function checkSignatures(story: Story, requests: readonly ReceivedRequest[], secret: string): void {
  const count = (holds: typeof holdsByHmac) => requests.filter((request) => holds(request, secret)).length;
  const forged = requests.map((request) => {
    const body = JSON.stringify({ ...(JSON.parse(request.body) as object), amount: 1 });
    return { ...request, body };
  });
  const isForgeryRefused = !forged.some((one) => holdsByLibrary(one, secret) || holdsByHmac(one, secret));
  const of = requests.length;
  story.check(
    of > 0 && requests.every((request) => holdsBothWays(request, secret)) && isForgeryRefused,
    'Signatures',
    `${count(holdsByLibrary)} of ${of} true by standardwebhooks, ${count(holdsByHmac)} of ${of} by HMAC; another amount is refused`,
  );
}
