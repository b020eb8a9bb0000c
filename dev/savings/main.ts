/**
 * `npm run routing:savings`: what a mix of orders costs under each mode of routing, against the default channel alone. The
 * mix is the month of the reference, or a CSV file. Needs no server.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { REFERENCE_CONFIG, REFERENCE_MONTH } from '../../src/domain/routing/reference-month';
import { savingsOf } from '../../src/domain/routing/savings';
import type { Savings, SavingsOrder } from '../../src/domain/routing/savings';
import { ROUTING_MODES } from '../../src/domain/routing/types';
import type { RoutingMode } from '../../src/domain/routing/types';
import { defaultDataDir } from '../stack/paths';
import { bold, dim, done, failed } from '../terminal';
import { thousands } from './amounts';
import { savingsChart } from './chart';
import { CSV_COLUMNS, readOrders } from './csv';
import type { CsvProblem } from './csv';
import { smallAmounts } from './small-amounts';
import { savingsTable } from './table';

const USAGE = `Usage: npm run routing:savings [-- --csv orders.csv] [--mode ${ROUTING_MODES.join('|')}] [--svg chart.svg]

  --csv   columns ${CSV_COLUMNS.join(', ')}; amount and currency are required,
          amount is in minor units (1234 is 12.34 USD), allowed_channels are separated by |
  --mode  one mode instead of all four
  --svg   where the chart is written (default: routing-savings.svg in the data folder)`;

interface Options {
  readonly csv: string | undefined;
  readonly svg: string;
  readonly modes: readonly RoutingMode[];
}

/** A sentence for the one who typed the command. */
class UsageError extends Error {}

async function main(): Promise<void> {
  const { csv, svg, modes } = optionsOf(process.argv.slice(2));
  const orders = csv === undefined ? REFERENCE_MONTH : await ordersOf(csv);
  const byCurrency = grouped(modes.flatMap((mode) => savingsOf(orders, REFERENCE_CONFIG, mode)));
  console.log(`\n${bold('Fees under each mode of routing')}`);
  console.log(
    dim('List prices of the channels; Alipay with a contract for CNY and USD. No success rates are known.'),
  );
  for (const all of byCurrency) {
    const [heading = '', ...lines] = savingsTable(all);
    console.log(`\n  ${bold(heading)}`);
    for (const line of lines) console.log(`  ${line}`.trimEnd());
  }
  console.log();
  for (const line of remarks(orders, csv === undefined)) console.log(`  ${line}`.trimEnd());
  mkdirSync(dirname(svg), { recursive: true });
  writeFileSync(svg, savingsChart(byCurrency));
  done(`chart: ${relative(process.cwd(), svg)}\n`);
}

/** @throws UsageError */
function optionsOf(args: readonly string[]): Options {
  const text = { type: 'string' } as const;
  let values: { csv?: string; svg?: string; mode?: string };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: { csv: text, svg: text, mode: text },
      strict: true,
    }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${USAGE}`);
  }
  const mode = ROUTING_MODES.find((known) => known === values.mode);
  if (values.mode !== undefined && mode === undefined)
    throw new UsageError(`There is no mode "${values.mode}".\n\n${USAGE}`);
  return {
    csv: values.csv,
    svg: resolve(values.svg ?? join(defaultDataDir(process.env), 'routing-savings.svg')),
    modes: mode === undefined ? ROUTING_MODES : [mode],
  };
}

/** @throws UsageError with a line for each problem */
async function ordersOf(path: string): Promise<readonly SavingsOrder[]> {
  const { orders, problems } = await readOrders(path).catch((error: unknown) => {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`);
  });
  if (problems.length === 0) return orders;
  const sentence = ({ line, column, sentence: what }: CsvProblem) =>
    `${path}, line ${line}${column === undefined ? '' : `, column ${column}`}: ${what}`;
  throw new UsageError(problems.map(sentence).join('\n'));
}

/** The modes of one currency together. */
function grouped(all: readonly Savings[]): readonly (readonly Savings[])[] {
  const byCurrency = new Map<string, Savings[]>();
  for (const one of all) byCurrency.set(one.currency, [...(byCurrency.get(one.currency) ?? []), one]);
  return [...byCurrency].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, modes]) => modes);
}

/** What the figures do not say. */
function remarks(orders: readonly SavingsOrder[], isReference: boolean): readonly string[] {
  const countOf = (fits: (order: SavingsOrder) => boolean) =>
    orders.filter(fits).reduce((sum, { count }) => sum + count, 0);
  const anyChannel = countOf(({ allowedChannels }) => allowedChannels === undefined);
  const placed = countOf(({ country }) => country !== undefined);
  return [
    ...(anyChannel > 0
      ? [
          `${thousands(anyChannel)} orders name no allowed_channels: their customers are taken to be able to pay by every channel.`,
        ]
      : []),
    ...(placed === 0
      ? ['Without countries and success rates only the price makes a difference: all modes choose alike.']
      : []),
    '',
    ...(isReference ? [...smallAmounts(REFERENCE_CONFIG), ''] : []),
  ];
}

main().catch((error: unknown) => {
  failed(error instanceof UsageError ? error.message : ((error as Error).stack ?? String(error)));
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
