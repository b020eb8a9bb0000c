/** What was paid in some months, with the fees that were estimated when its channel was decided on. */
import type { ChannelName, World } from '../domain/channel';
import type { PaidLine } from '../domain/fee-report';
import { DEFAULT_CHANNEL } from '../domain/routing/default-config';
import { planEachTime } from './postgres';
import type { Queryable } from './postgres';

interface LineRow {
  merchant_id: string;
  merchant_name: string;
  world: World;
  month: string;
  currency: string;
  channel: ChannelName;
  channel_account_id: string;
  is_explicit: boolean;
  count: number;
  amount: string;
  fee: string | null;
  default_fee: string | null;
  each_amount: number | null;
  each_country: string | null;
}

const PAID = (
  type: string,
) => `e.type = '${type}' AND e.sequence > 0 AND e.created_at >= $1 AND e.created_at < $2
    AND ($3::uuid IS NULL OR e.merchant_id = $3)`;
const FEE_AT = (
  channel: string,
) => `jsonb_path_query_first(d.decision, '$.candidates[*] ? (@.channel == $channel).feeMinor',
      jsonb_build_object('channel', ${channel}))::bigint`;

// Like the settlement report, an amount counts for the moment at which its event was written, in the order's last channel.
// What was estimated counts where the whole amount was paid; the rest, grouped by amount, is priced anew. With a merchant it
// walks payment_events_paid, without one payment_events_money; a plan for the one is a bad one for the other.
// Materialized: the decisions are looked into once, and are not carried through the sort. Some 15 microseconds an order.
const LINES = planEachTime(`
WITH paid AS (
  SELECT e.merchant_id, e.created_at, 'payment' AS kind, e.object_no AS number, p.channel, p.channel_account_id, p.currency,
    p.country, p.amount AS asked, (e.data->>'amount_paid')::bigint AS amount
  FROM payment_events e JOIN payments p ON p.merchant_id = e.merchant_id AND p.payment_no = e.object_no
  WHERE e.object_kind = 'payment' AND ${PAID('payment.success')}
  UNION ALL
  SELECT e.merchant_id, e.created_at, 'pre_auth', e.object_no, h.channel, h.channel_account_id, h.currency,
    h.country, h.amount, (e.data->>'amount_this_capture')::bigint
  FROM payment_events e JOIN pre_auths h ON h.merchant_id = e.merchant_id AND h.pre_auth_no = e.object_no
  WHERE e.object_kind = 'pre_auth' AND ${PAID('pre_auth.captured')}
), estimated AS MATERIALIZED (
  SELECT p.merchant_id, to_char(p.created_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, p.currency, p.channel, p.channel_account_id,
    coalesce(d.decision->'country'->>'code', p.country) AS country, p.amount, p.amount = p.asked AS is_whole,
    coalesce(d.decision->>'level' = 'explicit', false) AS is_explicit,
    ${FEE_AT('p.channel')} AS fee, ${FEE_AT('$4::text')} AS default_fee
  FROM paid p LEFT JOIN routing_decisions d USING (merchant_id, kind, number)
), known AS (
  SELECT *, CASE WHEN is_explicit THEN fee ELSE default_fee END AS compared,
    is_whole AND fee IS NOT NULL AND (is_explicit OR default_fee IS NOT NULL) AS is_known
  FROM estimated
), counted AS (
  SELECT merchant_id, month, currency, channel, channel_account_id, is_explicit, count(*) AS count, sum(amount)::text AS amount,
    CASE WHEN is_known THEN sum(fee)::text END AS fee, CASE WHEN is_known THEN sum(compared)::text END AS default_fee,
    CASE WHEN NOT is_known THEN amount END AS each_amount, CASE WHEN NOT is_known THEN country END AS each_country
  FROM known
  GROUP BY merchant_id, month, currency, channel, channel_account_id, is_explicit, is_known,
    CASE WHEN NOT is_known THEN known.amount END, CASE WHEN NOT is_known THEN country END
)
SELECT c.*, m.name AS merchant_name, m.world FROM counted c JOIN merchants m ON m.id = c.merchant_id LIMIT $5`);

export interface FeeReportRange {
  /** Inclusive. */
  readonly from: Date;
  /** Exclusive. */
  readonly to: Date;
  /** undefined: every merchant's. */
  readonly merchantId: string | undefined;
}

/** @returns in no order, and `limit` lines at most */
export async function readPaidLines(q: Queryable, range: FeeReportRange, limit: number): Promise<PaidLine[]> {
  const values = [range.from, range.to, range.merchantId ?? null, DEFAULT_CHANNEL, limit];
  return (await q.query<LineRow>(LINES, values)).rows.map(toLine);
}

function toLine(row: LineRow): PaidLine {
  const { fee, default_fee: defaultFee, each_amount: amount, each_country: country } = row;
  return {
    merchantId: row.merchant_id,
    merchantName: row.merchant_name,
    world: row.world,
    month: row.month,
    currency: row.currency,
    channel: row.channel,
    channelAccountId: row.channel_account_id,
    isExplicit: row.is_explicit,
    count: row.count,
    amount: BigInt(row.amount),
    ...(fee !== null && defaultFee !== null
      ? { estimated: { fee: BigInt(fee), defaultFee: BigInt(defaultFee) } }
      : { each: { amount: amount ?? 0, ...(country !== null && { country }) } }),
  };
}
