/** admin_audit: who changed a merchant's limits or signing, or a tier, for good. */
import type { Queryable } from './postgres';

export type AdminAuditAction =
  | 'tier.replace'
  | 'merchant.tier'
  | 'merchant.limits'
  | 'merchant.unblock'
  | 'merchant.signing'
  | 'merchant.signing_secret';

/** Changes of what merchants may ask: the processes look for those that they were not told of. */
const OF_LIMITS: readonly AdminAuditAction[] = ['tier.replace', 'merchant.tier', 'merchant.limits'];

/** On whose word something is changed. */
export interface AskedBy {
  /** An admin key's name, or `merchant`. */
  readonly actor: string;
  readonly requestId: string;
}

export interface NewAdminAuditEntry extends AskedBy {
  readonly action: AdminAuditAction;
  /** A tier's name, or a merchant's id. */
  readonly entityId: string;
  /** Never a secret. */
  readonly before?: object;
  readonly after?: object;
}

const APPEND = `
INSERT INTO admin_audit (actor, request_id, action, entity, entity_id, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7)`;

/** Notes a change, in its transaction. */
export async function appendAdminAudit(q: Queryable, entry: NewAdminAuditEntry): Promise<void> {
  const { actor, requestId, action, entityId, before, after } = entry;
  const [entity] = action.split('.');
  await q.query(APPEND, [actor, requestId, action, entity, entityId, before ?? null, after ?? null]);
}

/** So many at once are told by name; the others are told by whoever changed them, or grow old. */
const MOST_CHANGES = 10_000;

// now(): with a clock that goes on during the statement no index would serve.
export const READ_LIMIT_CHANGES = `
SELECT DISTINCT entity, entity_id FROM admin_audit
WHERE created_at > now() - make_interval(secs => $1) AND action = ANY ($2) LIMIT ${MOST_CHANGES}`;

export interface LimitChanges {
  /** A tier has other numbers. */
  readonly tiers: boolean;
  readonly merchantIds: readonly string[];
}

/** Whose limits were changed in the last seconds. */
export async function readLimitChanges(q: Queryable, seconds: number): Promise<LimitChanges> {
  const { rows } = await q.query<{ entity: string; entity_id: string }>(READ_LIMIT_CHANGES, [
    seconds,
    OF_LIMITS,
  ]);
  const merchantIds = rows.filter(({ entity }) => entity === 'merchant').map((row) => row.entity_id);
  return { tiers: merchantIds.length < rows.length, merchantIds };
}
