/** The way of a payment or hold to its channel, in one statement: what was decided, and where it was tried. */
import type { RefundedRef } from '../domain/refund';
import type { RoutingDecision } from '../domain/routing/types';
import { ATTEMPT_COLUMNS, toAttempt } from './attempts';
import type { Attempt, AttemptRow } from './attempts';
import type { Queryable } from './postgres';

/** Those of releases before smart routing have nothing else. */
export type StoredDecision = Pick<RoutingDecision, 'channel' | 'level' | 'reason'> & Partial<RoutingDecision>;

export interface StoredWay {
  readonly decision: StoredDecision | undefined;
  /** The first one first. */
  readonly attempts: readonly Attempt[];
}

export interface WayRow {
  decision: StoredDecision | null;
  attempts: (Omit<AttemptRow, 'at'> & { at: string })[] | null;
}

/** Columns `decision` and `attempts` of a statement. @param merchant, kind, no SQL of what names the payment or hold */
export const wayColumns = (merchant: string, kind: string, no: string) => `
  (SELECT d.decision FROM routing_decisions d WHERE d.merchant_id = ${merchant} AND d.kind = ${kind} AND d.number = ${no}) AS decision,
  (SELECT jsonb_agg(to_jsonb(t) - 'n' ORDER BY t.n) FROM (
    SELECT ${ATTEMPT_COLUMNS}, c.n FROM channel_calls c JOIN channel_accounts a ON a.id = c.channel_account_id
    WHERE c.merchant_id = ${merchant} AND c.object_kind = ${kind} AND c.object_no = ${no} AND c.operation = 'create') t) AS attempts`;

export function toWay({ decision, attempts }: WayRow): StoredWay {
  return {
    decision: decision ?? undefined,
    attempts: (attempts ?? []).map((row) => toAttempt({ ...row, at: new Date(row.at) })),
  };
}

const READ = `SELECT ${wayColumns('$1', '$2', '$3')}`;

export async function readWay(q: Queryable, { merchantId, kind, no }: RefundedRef): Promise<StoredWay> {
  const row = (await q.query<WayRow>(READ, [merchantId, kind, no])).rows[0];
  return toWay(row ?? { decision: null, attempts: null });
}
