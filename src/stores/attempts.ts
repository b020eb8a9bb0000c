/** The creates of a payment or hold: at which channels it was tried, in what order, and what became of each. */
import type { ChannelName } from '../domain/channel';
import type { CallState } from '../domain/channel-call';
import type { RefundedRef } from '../domain/refund';
import type { ChannelId, RoutingLevel } from '../domain/routing/types';
import type { Queryable } from './postgres';

/** `pending`: not known yet. `accepted`: it has the payment or hold. `declined`: it said no. `not_executed`: it certainly did nothing. */
export type AttemptOutcome = 'pending' | 'accepted' | 'declined' | 'not_executed';

export interface Attempt {
  readonly channel: ChannelName;
  readonly outcome: AttemptOutcome;
  /** The decline code, or why it is certain that nothing was executed; null: nothing to say. */
  readonly code: string | null;
  /** When that became known; of a pending one: when it was begun. */
  readonly at: Date;
}

const OUTCOMES: Readonly<Record<CallState, AttemptOutcome>> = {
  open: 'pending',
  executed: 'accepted',
  declined: 'declined',
  not_executed: 'not_executed',
};

export interface AttemptRow {
  channel: ChannelName;
  state: CallState;
  code: string | null;
  at: Date;
}

/** Of a create `c` at the account `a`. */
export const ATTEMPT_COLUMNS = `
  a.channel, c.state, coalesce(c.outcome->>'decline_code', c.outcome->>'code') AS code, coalesce(c.settled_at, c.created_at) AS at`;

export const toAttempt = ({ channel, state, code, at }: AttemptRow): Attempt => ({
  ...{ channel, outcome: OUTCOMES[state], code, at },
});

const ATTEMPTS = `
SELECT ${ATTEMPT_COLUMNS}
FROM channel_calls c JOIN channel_accounts a ON a.id = c.channel_account_id
WHERE c.merchant_id = $1 AND c.object_kind = $2 AND c.object_no = $3 AND c.operation = 'create'
ORDER BY c.n`;

/** The first one first; at most some (domain/failover.ts), one for each create, so that a channel may be there twice in a row. */
export async function readAttempts(q: Queryable, { merchantId, kind, no }: RefundedRef): Promise<Attempt[]> {
  const { rows } = await q.query<AttemptRow>(ATTEMPTS, [merchantId, kind, no]);
  return rows.map(toAttempt);
}

/** What failover asks of a stored decision. */
export interface StoredRanking {
  readonly level: RoutingLevel;
  readonly ranked: readonly ChannelId[];
}

const RANKING = `
SELECT decision->>'level' AS level, decision->'ranked' AS ranked FROM routing_decisions
WHERE merchant_id = $1 AND kind = $2 AND number = $3`;

/** undefined: none is stored, or one that ranks no channels. */
export async function readRanking(
  q: Queryable,
  { merchantId, kind, no }: RefundedRef,
): Promise<StoredRanking | undefined> {
  const { rows } = await q.query<{ level: RoutingLevel; ranked: unknown }>(RANKING, [merchantId, kind, no]);
  const { level, ranked } = rows[0] ?? {};
  if (level === undefined || !Array.isArray(ranked)) return undefined;
  return { level, ranked: ranked.filter((channel) => typeof channel === 'string') };
}
