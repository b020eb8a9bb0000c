/** What routing saves: the fees of every merchant and month against those of the default channel alone. */
import { z } from 'zod';
import { feeReportOf, feeTotalsOf } from '../../domain/fee-report';
import type { FeeReportRow, FeeTotal } from '../../domain/fee-report';
import { compileConfig } from '../../domain/routing/config';
import { DEFAULT_CHANNEL, DEFAULT_POLICY } from '../../domain/routing/default-config';
import { readPaidLines } from '../../stores/fee-report';
import type { Queryable } from '../../stores/postgres';
import { loadRoutingConfig } from '../../stores/routing-config';
import { invalidRequest } from '../errors';
import { defineRoute } from '../route';
import type { Route } from '../route';

const MAX_MONTHS = 24;
/** Of all merchants together: more is a report that nobody reads and the database works on for long. */
const MAX_MONTHS_OF_ALL = 3;
const MAX_LINES = 20_000;

const minor = z.int().describe('Minor units');
const sums = {
  world: z.enum(['live', 'test']),
  currency: z.string(),
  payments: z.int().describe('Successful payments, and captures of holds'),
  explicit: z.int().describe('Those of them whose channel the request named'),
  amount: minor,
  fees: minor.describe(
    'As estimated when the channel was decided on; of another amount than that, at present prices',
  ),
  default_fees: minor.describe(
    'At the default channel; where the request named the channel, what it cost there',
  ),
  saved: minor.describe('default_fees - fees'),
};
const reportView = z.object({
  from: z.string(),
  to: z.string(),
  default_channel: z.string(),
  items: z.array(z.object({ month: z.string(), merchant_id: z.uuid(), merchant_name: z.string(), ...sums })),
  totals: z.array(z.object(sums)).describe('By world and currency'),
});

const month = z
  .string()
  .regex(/^2[01]\d\d-(0[1-9]|1[0-2])$/, 'must be a month like 2026-01')
  .describe('A month of UTC; an amount counts for the month its event was written');

const query = z
  .strictObject({ from: month, to: month.describe('Inclusive'), merchant_id: z.uuid().optional() })
  .superRefine(({ from, to, merchant_id: merchantId }, context) => {
    const months = ordinalOf(to) - ordinalOf(from) + 1;
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (months < 1) refuse('to', 'is before from');
    else if (months > MAX_MONTHS) refuse('to', `is more than ${MAX_MONTHS} months from the first`);
    else if (merchantId === undefined && months > MAX_MONTHS_OF_ALL)
      refuse('merchant_id', `is needed for more than ${MAX_MONTHS_OF_ALL} months`);
  });

export function feesReportRoute({ db }: { readonly db: Queryable }): Route {
  return defineRoute({
    tag: 'Administration',
    auth: 'admin',
    method: 'get',
    path: '/api/v1/admin/reports/fees',
    summary: 'Fees paid against the default channel, by merchant, month and currency',
    request: { query },
    responses: { 200: { description: 'The report', schema: reportView } },
    errors: [],
    handler: async ({ query: { from, to, merchant_id: merchantId } }) => {
      const range = { from: startOf(ordinalOf(from)), to: startOf(ordinalOf(to) + 1), merchantId };
      const lines = await readPaidLines(db, range, MAX_LINES + 1);
      if (lines.length > MAX_LINES)
        throw invalidRequest([{ path: 'from', message: 'asks for too much at once' }]);
      const rows = feeReportOf(lines, compileConfig(await loadRoutingConfig(db), DEFAULT_POLICY));
      const answered = { from, to, default_channel: DEFAULT_CHANNEL };
      const data = { ...answered, items: rows.map(showRow), totals: feeTotalsOf(rows).map(showSums) };
      return { status: 200, data };
    },
  });
}

/** Months since the year 0. */
function ordinalOf(text: string): number {
  const [year, of] = text.split('-').map(Number);
  return (year ?? 0) * 12 + (of ?? 1) - 1;
}

function startOf(ordinal: number): Date {
  return new Date(Date.UTC(Math.floor(ordinal / 12), ordinal % 12, 1));
}

function showRow(row: FeeReportRow): unknown {
  const { month: of, merchantId, merchantName } = row;
  return { month: of, merchant_id: merchantId, merchant_name: merchantName, ...showSums(row) };
}

function showSums({ world, currency, payments, explicit, amount, fees, defaultFees }: FeeTotal) {
  return {
    ...{ world, currency, payments, explicit, amount: told(amount), fees: told(fees) },
    ...{ default_fees: told(defaultFees), saved: told(defaultFees - fees) },
  };
}

/** JSON's numbers are exact up to 2^53. */
function told(sum: bigint): number {
  const number = Number(sum);
  if (Number.isSafeInteger(number)) return number;
  throw invalidRequest([{ path: 'from', message: 'asks for sums beyond 2^53 minor units' }]);
}
