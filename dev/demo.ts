/**
 * `npm run demo`: five stories of holds, two of webhooks, five of payments and two of routing, told while they happen and
 * checked against the sandboxes' own books and against what the merchant's server got.
 */
import { PAYMENT_STORIES } from './demo/payment-stories';
import { ROUTING_STORIES } from './demo/routing-stories';
import { openStage } from './demo/stage';
import type { Stage } from './demo/stage';
import type { Telling } from './demo/steps';
import { HOLD_STORIES } from './demo/stories';
import { Story } from './demo/story';
import { WEBHOOK_STORIES } from './demo/webhook-stories';
import { StackError } from './stack/errors';
import { bold, done, failed, took } from './terminal';

let stage: Stage | undefined;
let closing: Promise<void> | undefined;

async function main(): Promise<void> {
  console.log(
    `\n${bold('Five stories of money on hold, two of the news about it, five of payments, two of which channel takes them')}\n`,
  );
  stage = await openStage();
  const startedAt = Date.now();
  const checks: boolean[] = [];
  for (const telling of [...HOLD_STORIES, ...WEBHOOK_STORIES, ...PAYMENT_STORIES, ...ROUTING_STORIES]) {
    if (closing === undefined) checks.push(...(await tell(stage, telling)));
  }
  if (closing !== undefined) return;
  const wrong = checks.filter((isTrue) => !isTrue).length;
  console.log();
  if (wrong === 0) done(bold(`all ${checks.length} checks true (${took(startedAt)})`));
  else failed(bold(`${wrong} of ${checks.length} checks false (${took(startedAt)})`));
  console.log();
  process.exitCode = wrong === 0 ? 0 : 1;
}

/** A story that breaks off counts as a false check, and the others are told all the same. */
async function tell(on: Stage, telling: Telling): Promise<boolean[]> {
  const story = new Story(telling.title, telling.about, telling.currency);
  try {
    story.link('Its workflow', on.workflowAddress(await telling.tell(on, story)));
  } catch (error) {
    // After Ctrl-C everything breaks off, and nobody wants to read about it.
    if (closing === undefined) story.check(false, 'Broken off', (error as Error).message);
  }
  return story.checks;
}

function close(): Promise<void> {
  return (closing ??= stage?.close() ?? Promise.resolve());
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // What is being started at this moment is ended by the stack's watchdog.
    close().then(
      () => process.exit(130),
      () => process.exit(130),
    );
  });
}

main()
  .catch((error: unknown) => {
    failed(error instanceof StackError ? error.message : ((error as Error).stack ?? String(error)));
    process.exitCode = 1;
  })
  .then(close)
  .catch((error: unknown) => {
    failed(String(error));
    process.exitCode = 1;
  });
