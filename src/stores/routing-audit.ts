/** routing_audit: who changed what of routing's configuration, for good. */
import { microsOf, pageValues, sinceEpoch } from './page';
import type { Page } from './page';
import type { Queryable } from './postgres';

export const AUDIT_ACTIONS = ['create', 'replace', 'delete'] as const;
export const AUDITED_ENTITIES = ['channel', 'fee', 'rule', 'merchant'] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];
export type AuditedEntity = (typeof AUDITED_ENTITIES)[number];

/** A change as it is noted. `before` and `after` are the rows, undefined: there was or is none. */
export interface NewAuditEntry {
  /** The routing version that the change leads to. */
  readonly version: number;
  readonly actor: string;
  readonly requestId: string;
  readonly entity: AuditedEntity;
  readonly entityId: string;
  readonly before: object | undefined;
  readonly after: object | undefined;
}

export interface AuditRow {
  id: number;
  version: number;
  actor: string;
  request_id: string;
  action: AuditAction;
  entity: AuditedEntity;
  entity_id: string;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  created_at: Date;
  created_at_micros: number;
}

const APPEND = `
INSERT INTO routing_audit (version, actor, request_id, action, entity, entity_id, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`;

/** Notes a change; to be called in its transaction, with the version row locked. */
export async function appendAudit(q: Queryable, entry: NewAuditEntry): Promise<void> {
  const { version, actor, requestId, entity, entityId, before, after } = entry;
  const action: AuditAction = after === undefined ? 'delete' : before === undefined ? 'create' : 'replace';
  await q.query(APPEND, [
    ...[version, actor, requestId, action, entity, entityId],
    ...[before ?? null, after ?? null],
  ]);
}

export interface AuditFilter {
  readonly entity?: AuditedEntity | undefined;
  readonly entityId?: string | undefined;
  readonly actor?: string | undefined;
  /** Inclusive. */
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly to?: Date | undefined;
}

// Walks routing_audit_list, or routing_audit_entity when one entity's history is asked for.
const LIST = `
SELECT id, version, actor, request_id, action, entity, entity_id, before, after, created_at,
  ${microsOf('created_at')} AS created_at_micros
FROM routing_audit
WHERE ($1::text IS NULL OR entity = $1) AND ($2::text IS NULL OR entity_id = $2) AND ($3::text IS NULL OR actor = $3)
  AND ($4::timestamptz IS NULL OR created_at >= $4) AND ($5::timestamptz IS NULL OR created_at < $5)
  AND ($6::bigint IS NULL OR (created_at, id) < (${sinceEpoch('$6')}, $7::bigint))
ORDER BY created_at DESC, id DESC LIMIT $8`;

/** One page, the latest change first. */
export async function listAudit(q: Queryable, filter: AuditFilter, page: Page): Promise<AuditRow[]> {
  const { entity, entityId, actor, from, to } = filter;
  const values = [entity, entityId, actor, from, to].map((value) => value ?? null);
  return (await q.query<AuditRow>(LIST, [...values, ...pageValues(page)])).rows;
}
