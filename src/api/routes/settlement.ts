/** The daily settlement report, for a merchant and for the platform's operator, as JSON and as CSV. */
import { z } from 'zod';
import { CHANNELS } from '../../domain/channel';
import { fail } from '../../domain/errors';
import { compileConfig } from '../../domain/routing/config';
import { DEFAULT_POLICY } from '../../domain/routing/default-config';
import { settlementOf, totalsOf } from '../../domain/settlement';
import type { SettlementRow, SettlementTotal } from '../../domain/settlement';
import type { Queryable } from '../../stores/postgres';
import { loadRoutingConfig } from '../../stores/routing-config';
import { readMoneyLines } from '../../stores/settlement';
import { csvOf } from '../csv';
import { defineRoute } from '../route';
import type { RawAnswer, Route, RouteAnswer, RouteResponse } from '../route';

export interface SettlementDeps {
  readonly db: Queryable;
  readonly now?: () => number;
}

const DAY_MS = 86_400_000;
/** More than this is a report that nobody reads: it is to be asked for by merchant. */
const MAX_ROWS = 20_000;

const minor = z.int().describe('Minor units');
const sum = z.object({ count: z.int(), amount: minor });

const rowView = z.object({
  merchant_id: z.uuid(),
  merchant_name: z.string().optional().describe('Only for operators, like account_name'),
  channel: z.enum(CHANNELS),
  channel_account_id: z.uuid(),
  account_name: z.string().optional(),
  currency: z.string(),
  captures: sum.describe('Captured holds and successful payments'),
  late: sum.describe('Money that arrived late, or beyond what was asked for'),
  refunds: sum.describe('Refunds, those made by hand too, without those that came back'),
  disputes_lost: sum,
  fees: minor.describe(
    'At the present prices that routing goes by; what is charged is in the channel’s statement',
  ),
  net: minor.describe('captures + late - refunds - disputes_lost - fees'),
});

const totalView = z.object({
  currency: z.string(),
  captured: minor,
  late_received: minor,
  refunded: minor,
  disputes_lost: minor,
  fees: minor,
  net: minor,
});

const reportView = z.object({
  date: z.iso.date(),
  is_complete: z.boolean().describe('false: the day is not over'),
  items: z.array(rowView),
  totals: z.array(totalView),
});

const format = z.enum(['json', 'csv']).default('json').describe('csv: a header line, amounts in minor units');
const date = z.iso
  .date()
  .refine((day) => day >= '2000-01-01' && day < '2200-01-01', 'is not within 2000 and 2199')
  .describe('A day in UTC; an amount counts for the day its event was written');

const report: RouteResponse = {
  description: 'The report; with format=csv the same rows as text/csv',
  schema: reportView,
};

export function settlementRoutes(deps: SettlementDeps): Route[] {
  const own = defineRoute({
    tag: 'Settlement',
    auth: 'merchant',
    method: 'get',
    path: '/api/v1/settlement',
    summary: 'What your payments, refunds and fees of a day come to',
    request: { query: z.strictObject({ date, format }) },
    responses: { 200: report },
    errors: [],
    handler: ({ caller, query }) => answer(deps, { ...query, merchantId: caller.merchantId, isAdmin: false }),
  });
  const all = defineRoute({
    tag: 'Administration',
    auth: 'admin',
    method: 'get',
    path: '/api/v1/admin/settlement',
    summary: 'The settlement report of a day, of all merchants or of one',
    request: { query: z.strictObject({ date, format, merchant_id: z.uuid().optional() }) },
    responses: { 200: report },
    errors: [],
    handler: ({ query }) => answer(deps, { ...query, merchantId: query.merchant_id, isAdmin: true }),
  });
  return [own, all];
}

interface Asked {
  readonly date: string;
  readonly format: 'json' | 'csv';
  readonly merchantId: string | undefined;
  readonly isAdmin: boolean;
}

async function answer(
  { db, now = Date.now }: SettlementDeps,
  asked: Asked,
): Promise<RouteAnswer | RawAnswer> {
  const from = new Date(`${asked.date}T00:00:00Z`);
  const to = new Date(from.getTime() + DAY_MS);
  const lines = await readMoneyLines(db, { from, to }, asked.merchantId);
  const rows = settlementOf(lines, compileConfig(await loadRoutingConfig(db), DEFAULT_POLICY));
  if (rows.length > MAX_ROWS)
    throw fail('INVALID_REQUEST', { issues: [{ path: 'merchant_id', message: 'is needed for so much' }] });
  if (asked.format === 'csv') return csvAnswer(asked, rows);
  const items = rows.map((row) => show(row, asked.isAdmin));
  const totals = totalsOf(rows).map(showTotal);
  const data: z.infer<typeof reportView> = {
    date: asked.date,
    is_complete: now() >= to.getTime(),
    items,
    totals,
  };
  return { status: 200, data };
}

function show(row: SettlementRow, isAdmin: boolean): z.infer<typeof rowView> {
  return {
    merchant_id: row.merchantId,
    ...(isAdmin ? { merchant_name: row.merchantName, account_name: row.accountName } : {}),
    channel: row.channel,
    channel_account_id: row.channelAccountId,
    currency: row.currency,
    captures: row.captures,
    late: row.late,
    refunds: row.refunds,
    disputes_lost: row.disputesLost,
    fees: row.fees,
    net: row.net,
  };
}

function showTotal(total: SettlementTotal): z.infer<typeof totalView> {
  const { currency, captured, lateReceived, refunded, disputesLost, fees, net } = total;
  const own = { late_received: lateReceived, refunded, disputes_lost: disputesLost };
  return { currency, captured, ...own, fees, net };
}

const HEADER = [
  ...[
    'date',
    'merchant_id',
    'channel',
    'channel_account_id',
    'currency',
    'captures_count',
    'captures_amount',
  ],
  ...['late_count', 'late_amount', 'refunds_count', 'refunds_amount', 'disputes_lost_count'],
  ...['disputes_lost_amount', 'fees', 'net'],
];

function csvAnswer({ date: day, isAdmin }: Asked, rows: readonly SettlementRow[]): RawAnswer {
  const header = isAdmin ? [...HEADER, 'merchant_name', 'account_name'] : HEADER;
  const lines = rows.map((row) => [
    ...[day, row.merchantId, row.channel, row.channelAccountId, row.currency],
    ...[row.captures, row.late, row.refunds, row.disputesLost].flatMap(({ count, amount }) => [
      count,
      amount,
    ]),
    ...[row.fees, row.net],
    ...(isAdmin ? [row.merchantName, row.accountName] : []),
  ]);
  return {
    status: 200,
    raw: { contentType: 'text/csv; charset=utf-8', body: csvOf(header, lines) },
    headers: { 'Content-Disposition': `attachment; filename="settlement-${day}.csv"` },
  };
}
