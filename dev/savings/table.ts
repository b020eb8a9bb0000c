/** The comparison as a table of text. */
import { DEFAULT_CHANNEL } from '../../src/domain/routing/default-config';
import type { Savings } from '../../src/domain/routing/savings';
import { grouped, percent, thousands } from './amounts';

const HEADS = ['mode', 'channel', 'orders', 'amount', 'fees', 'alone', 'routed', 'saved', 'share'] as const;
const TEXT_COLUMNS = 2;

/** @param all of one currency, one entry per mode @returns lines: a heading, one block per mode */
export function savingsTable(all: readonly Savings[]): readonly string[] {
  const [first] = all;
  if (first === undefined) return [];
  const { currency, count, amount, feeAlone } = first;
  const heading =
    `${thousands(count)} orders, ${grouped(amount, currency)} ${currency}; ` +
    `on ${DEFAULT_CHANNEL} alone ${grouped(feeAlone, currency)} ${currency} of fees`;
  const unpriced = all.some((one) => one.unpriced > 0)
    ? all.map(
        ({ mode, unpriced: n }) => `${mode}: ${thousands(n)} more orders have no price and are in no sum`,
      )
    : [];
  return [heading, '', ...aligned([HEADS, ...all.flatMap(rowsOf)]), ...unpriced];
}

function rowsOf(one: Savings): readonly (readonly string[])[] {
  const money = (minor: bigint) => grouped(minor, one.currency);
  const parts = one.channels.map(({ channel, count, amount, fee }) => [
    ...['', channel, thousands(count), money(amount), money(fee)],
  ]);
  const totals = [thousands(one.count), money(one.amount), money(one.feeRouted)];
  const outcome = [
    money(one.feeAlone),
    money(one.feeRouted),
    money(one.saved),
    percent(one.savedBasisPoints),
  ];
  return [[one.mode, '', ...totals, ...outcome], ...parts];
}

/** Text to the left, numbers to the right, two spaces between. */
export function aligned(rows: readonly (readonly string[])[], textColumns = TEXT_COLUMNS): readonly string[] {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(...rows.map((row) => row[at]?.length ?? 0)),
  );
  return rows.map((row) =>
    widths
      .map((width, at) =>
        at < textColumns ? (row[at] ?? '').padEnd(width) : (row[at] ?? '').padStart(width),
      )
      .join('  ')
      .trimEnd(),
  );
}
