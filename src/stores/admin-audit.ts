/** admin_audit: what operators asked for, by the API and in Temporal, and what it changed, for good. */
import type { AdminRole } from '../domain/admin-role';
import type { ObjectRef } from '../domain/ids';
import type { Queryable } from './postgres';

export type AdminAuditAction =
  | 'tier.replace'
  | 'merchant.tier'
  | 'merchant.limits'
  | 'merchant.unblock'
  | 'merchant.status'
  | 'merchant.signing'
  | 'merchant.signing_secret'
  | 'channel-account.switch'
  | 'key.create'
  | 'key.revoke';

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
  /** A tier's name, or the id of a merchant, account or key. */
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

/** A request of an operator that is to change something. */
export interface AdminRequest extends AskedBy {
  /** null: root's. */
  readonly keyId: string | null;
  readonly role: AdminRole;
  /** The route's name. */
  readonly action: string;
  readonly entity: string;
  /** Empty: it does not exist yet. */
  readonly entityId: string;
  readonly params: Readonly<Record<string, string>>;
}

const APPEND_REQUEST = `
INSERT INTO admin_audit (actor, request_id, action, entity, entity_id, key_id, role, params)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`;

/** Notes a request. @returns its number, for its outcome */
export async function appendAdminRequest(q: Queryable, request: AdminRequest): Promise<number> {
  const { actor, requestId, action, entity, entityId, keyId, role, params } = request;
  const values = [actor, requestId, action, entity, entityId, keyId, role, params];
  const row = (await q.query<{ id: number }>(APPEND_REQUEST, values)).rows[0];
  if (row === undefined) throw new Error('the insert of an audit entry returned no row');
  return row.id;
}

export interface AdminOutcome {
  /** Of HTTP. */
  readonly status: number;
  readonly code: string;
  /** What was made. */
  readonly objectId?: string | undefined;
}

const APPEND_OUTCOME =
  'INSERT INTO admin_audit_outcomes (audit_id, status, code, object_id) VALUES ($1, $2, $3, $4)';

/** Notes what a request came to. */
export async function appendAdminOutcome(
  q: Queryable,
  auditId: number,
  outcome: AdminOutcome,
): Promise<void> {
  const { status, code, objectId = null } = outcome;
  await q.query(APPEND_OUTCOME, [auditId, status, code, objectId]);
}

/** Who signals a workflow without giving a name: Temporal's own history may tell. */
export const UNNAMED = 'temporal';
const MAX_ACTOR = 100;

/** What an operator told a workflow, and when it took effect. */
export interface OperatorWord {
  /** As typed there; undefined: no name was given. */
  readonly by: string | undefined;
  readonly action: `signal.${'capture' | 'cancel' | 'settle' | 'retry_now' | 'give_up'}`;
  /** Names the command or call: a word that takes effect once is noted once. */
  readonly requestId: string;
  readonly entity: ObjectRef['kind'] | 'notification';
  /** As the object's workflow is found: `merchant/number`; of a notification its id. */
  readonly entityId: string;
  /** What it came to; no text that was typed. */
  readonly after: object;
}

/** The values of a row of `columns` below. */
export function wordValues(word: OperatorWord): unknown[] {
  const actor = word.by === undefined || word.by === '' ? UNNAMED : word.by.slice(0, MAX_ACTOR);
  return [actor, word.requestId.slice(0, MAX_ACTOR), word.action, word.entity, word.entityId, word.after];
}

const APPEND_WORD = `
INSERT INTO admin_audit (via, actor, request_id, action, entity, entity_id, after)
VALUES ('temporal', $1, $2, $3, $4, $5, $6)`;

/** Notes an operator's word, in the transaction of what it does. */
export async function appendOperatorWord(q: Queryable, word: OperatorWord): Promise<void> {
  await q.query(APPEND_WORD, wordValues(word));
}

/** A word on a delivery, to which nobody's name belongs. @param status of the notification, that it leads to */
export function deliveryWord(
  action: 'retry_now' | 'give_up',
  notificationId: string,
  status: string,
): OperatorWord {
  const object = { entity: 'notification', entityId: notificationId } as const;
  return {
    ...object,
    by: undefined,
    action: `signal.${action}`,
    requestId: notificationId,
    after: { status },
  };
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
