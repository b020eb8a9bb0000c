/** What must be true of a hold whatever happened to it: rows, events and the sandbox's books tell the same. */
import type { Books } from '../../dev/stripe-sandbox/books';
import type { System } from './harness';

interface HoldRow {
  status: string;
  amount: number;
  amount_capturable: number;
  amount_captured: number;
  order_no: string;
  event_sequence: number;
  channel_pre_auth_no: string | null;
  needs_attention: string | null;
}

const CHANNEL_STATUS: Readonly<Record<string, string>> = {
  succeeded: 'succeeded',
  canceled: 'canceled',
  expired: 'canceled',
  partially_captured: 'requires_capture',
};

/**
 * Asserts that the hold's row, its calls, its events, its order's claim and the sandbox agree. For holds in a currency
 * that Stripe counts as ISO does.
 */
export async function expectAgreement(
  system: System,
  preAuthNo: string,
  merchantId = system.merchant.merchantId,
): Promise<HoldRow> {
  const key = [merchantId, preAuthNo];
  const [row] = await system.rows<HoldRow>(
    'SELECT * FROM pre_auths WHERE merchant_id = $1 AND pre_auth_no = $2',
    key,
  );
  if (row === undefined) throw new Error(`there is no hold ${preAuthNo}`);
  const intent = await system.sandbox.intentOf(system.workflowId(preAuthNo, merchantId));
  expect({
    id: row.channel_pre_auth_no,
    status: CHANNEL_STATUS[row.status] ?? row.status,
    amount: row.amount,
    capturable: row.amount_capturable,
    captured: row.amount_captured,
  }).toEqual({
    id: intent.id,
    status: intent.status,
    amount: intent.amount,
    capturable: intent.amount_capturable,
    captured: intent.amount_received,
  });
  const [calls] = await system.rows<{ open: number; captured: number }>(
    `SELECT count(*) FILTER (WHERE state = 'open')::int AS open,
       coalesce(sum(amount) FILTER (WHERE operation = 'capture' AND state = 'executed'), 0)::int AS captured
     FROM channel_calls WHERE merchant_id = $1 AND object_no = $2`,
    key,
  );
  expect(calls).toEqual({ open: 0, captured: row.amount_captured });
  const sequences = (await eventsOf(system, preAuthNo, merchantId)).map((event) => event.sequence);
  expect(sequences).toEqual(Array.from({ length: row.event_sequence }, (_, i) => i + 1));
  await expectClaim(system, row, merchantId);
  return row;
}

/** A succeeded hold keeps its order for good, a released one gives it back. */
async function expectClaim(system: System, row: HoldRow, merchantId: string): Promise<void> {
  const [claim] = await system.rows<{ state: string }>(
    'SELECT state FROM order_claims WHERE merchant_id = $1 AND order_no = $2',
    [merchantId, row.order_no],
  );
  const released = ['canceled', 'expired', 'failed'].includes(row.status);
  expect(claim?.state).toBe(released ? undefined : row.status === 'succeeded' ? 'paid' : 'live');
}

export interface StoredEvent {
  sequence: number;
  type: string;
  status: string;
  data: Record<string, unknown>;
}

/** The events merchants are told of, in order. */
export function eventsOf(
  system: System,
  preAuthNo: string,
  merchantId = system.merchant.merchantId,
): Promise<StoredEvent[]> {
  return system.rows<StoredEvent>(
    `SELECT sequence, type, status, data FROM payment_events
     WHERE merchant_id = $1 AND object_no = $2 AND sequence > 0 ORDER BY sequence`,
    [merchantId, preAuthNo],
  );
}

export async function eventTypesOf(
  system: System,
  preAuthNo: string,
  merchantId?: string,
): Promise<string[]> {
  return (await eventsOf(system, preAuthNo, merchantId)).map(({ type }) => type);
}

/** Rows per table: what "nothing was written" is checked with. */
export async function countAllRows(system: System): Promise<Record<string, number>> {
  const tables = await system.rows<{ name: string }>(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`,
  );
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    const [row] = await system.rows<{ n: number }>(`SELECT count(*)::int AS n FROM ${name}`);
    counts[name] = row?.n ?? -1;
  }
  return counts;
}

type Call = Books['calls'][number];

const MONEY_CALLS: readonly string[] = ['create', 'capture', 'cancel'];
const READS: readonly string[] = ['retrieve', 'list'];
/** Nothing certain is known after these: no answer, a fault of the channel's, another request under the same key. */
const isUncertain = (status: number) => status === 0 || status >= 500 || status === 409;

export interface ProofDurations {
  readonly gapMs: number;
  readonly afterSendMs: number;
}

/**
 * Looks for money calls under a new key while the one before was not known to be over. A key is over when it was
 * answered for certain, when a read after its execution showed it, or when two reads, far enough apart and late enough
 * after its last send, had shown that it was not executed.
 * @param calls the sandbox's log, of all holds (lists name none)
 * @returns one sentence for each breach
 */
export function findUnprovedKeys(
  calls: readonly Call[],
  holdfastId: string,
  durations: ProofDurations,
): string[] {
  const ordered = [...calls].sort((a, b) => a.at - b.at);
  const money = ordered.filter(
    (call) => call.holdfast_id === holdfastId && MONEY_CALLS.includes(call.operation),
  );
  const reads = ordered.filter(
    (call) =>
      READS.includes(call.operation) &&
      call.status === 200 &&
      (call.holdfast_id === holdfastId || call.holdfast_id === null),
  );
  const keys = [...new Set(money.map((call) => call.idempotency_key))];
  const breaches = keys.includes(null) ? ['a money call was made without a key'] : [];
  for (const [index, key] of keys.entries()) {
    if (index === 0) continue;
    const before = money.filter((call) => call.idempotency_key === keys[index - 1]);
    const firstAt = Math.min(...money.filter((call) => call.idempotency_key === key).map((call) => call.at));
    if (!isOver(before, reads, firstAt, durations))
      breaches.push(`${key} was sent before ${keys[index - 1]} was known to be over`);
  }
  return breaches;
}

function isOver(calls: readonly Call[], reads: readonly Call[], nextAt: number, durations: ProofDurations) {
  const earlier = calls.filter((call) => call.at <= nextAt);
  if (earlier.length < calls.length) return false;
  if (earlier.some((call) => !isUncertain(call.status))) return true;
  const lastSentAt = Math.max(...earlier.map((call) => call.at));
  const executed = earlier.some((call) => call.executed);
  const useful = reads.filter((read) => read.at <= nextAt && read.at >= lastSentAt);
  if (executed) return useful.length > 0;
  const [first] = useful;
  const second = useful.at(-1);
  if (first === undefined || second === undefined) return false;
  return second.at - first.at >= durations.gapMs && second.at - lastSentAt >= durations.afterSendMs;
}
