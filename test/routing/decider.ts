/** A process that decides all the time, and tells what it has seen when it is asked. Forked by agreement.test.ts. */
import { setImmediate as turn } from 'node:timers/promises';
import { loadConfig } from '../../src/config/config';
import { requestOf, startRouter } from './rig';

export interface Seen {
  /** Of the last decision. */
  readonly version: number;
  readonly decisions: number;
  /** Decisions in which one price was of one change and one of another. */
  readonly torn: number;
  /** Decisions by an older version than the one before. */
  readonly backwards: number;
}

async function main(): Promise<void> {
  const own = await startRouter(loadConfig());
  const { router } = own;
  let [version, decisions, torn, backwards] = [0, 0, 0, 0];
  let isOver = false;
  process.on('message', (message) => {
    if (message === 'stop') isOver = true;
    else process.send?.({ version, decisions, torn, backwards } satisfies Seen);
  });
  process.on('disconnect', () => (isOver = true));
  process.send?.('ready');
  while (!isOver) {
    const { candidates, config } = router.decide(requestOf({ number: `PY${decisions}` }));
    const [paypal, stripe] = ['paypal', 'stripe'].map((id) =>
      candidates.find(({ channel }) => channel === id),
    );
    if (paypal?.feeMinor !== stripe?.feeMinor) torn += 1;
    if (config.version < version) backwards += 1;
    version = config.version;
    decisions += 1;
    await turn();
    if (decisions % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await own.stop();
  process.disconnect();
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
