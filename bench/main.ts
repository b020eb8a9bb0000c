/** `npm run bench -- <name> [--quick]`: one file of this folder per name. */
import * as api from './api';
import * as holds from './holds';
import * as limits from './limits';
import * as retries from './retries';
import * as routing from './routing';
import * as unitCosts from './unit-costs';
import * as webhooks from './webhooks';

interface Bench {
  readonly about: string;
  run(options: { readonly quick: boolean }): Promise<void>;
}

const BENCHES: Readonly<Record<string, Bench>> = {
  ...{ api, holds, webhooks, retries, routing, limits },
  'unit-costs': unitCosts,
};

async function main(): Promise<void> {
  const [name = '', ...flags] = process.argv.slice(2);
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  const unknownFlag = flags.find((flag) => flag !== '--quick');
  if (bench === undefined || unknownFlag !== undefined) {
    const what = bench === undefined ? `There is no bench "${name}".` : `There is no option ${unknownFlag}.`;
    console.error(`${what} Usage: npm run bench -- <name> [--quick]\n`);
    for (const [known, { about }] of Object.entries(BENCHES)) console.error(`  ${known.padEnd(10)} ${about}`);
    process.exitCode = 2;
    return;
  }
  // The whole limiter works in every bench, and refuses nobody: the processes of a stack inherit it.
  process.env['RATE_LIMIT_MULTIPLIER'] ??= '10000';
  await bench.run({ quick: flags.includes('--quick') });
}

main().catch((error: unknown) => {
  console.error((error as Error).stack ?? String(error));
  process.exitCode = 1;
});
