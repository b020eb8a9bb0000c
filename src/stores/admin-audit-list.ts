/** admin_audit as it is read: by whom, on what, when, and what came of it. */
import { microsOf, pageValues, sinceEpoch } from './page';
import type { Listed, Page } from './page';
import type { Queryable } from './postgres';

export const AUDIT_VIAS = ['api', 'temporal'] as const;

export interface AdminAuditRow {
  readonly id: number;
  readonly via: (typeof AUDIT_VIAS)[number];
  readonly actor: string;
  readonly key_id: string | null;
  readonly role: string | null;
  readonly request_id: string;
  readonly action: string;
  readonly entity: string;
  /** null: nothing was made. */
  readonly entity_id: string | null;
  readonly params: Readonly<Record<string, string>> | null;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
  /** Of HTTP; null: no request, or nobody knows what came of it. */
  readonly status: number | null;
  readonly code: string | null;
  readonly created_at: Date;
}

export interface AdminAuditFilter {
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly entity?: string | undefined;
  readonly entityId?: string | undefined;
  readonly requestId?: string | undefined;
  /** Inclusive. */
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly to?: Date | undefined;
}

// Walks admin_audit_list, or the index of what is asked for.
const LIST = `
SELECT a.id, a.via, a.actor, a.key_id, a.role, a.request_id, a.action, a.entity,
  coalesce(nullif(a.entity_id, ''), o.object_id) AS entity_id, a.params, a.before, a.after, o.status, o.code, a.created_at,
  ${microsOf('a.created_at')} AS created_at_micros
FROM admin_audit a LEFT JOIN admin_audit_outcomes o ON o.audit_id = a.id
WHERE ($1::text IS NULL OR a.actor = $1) AND ($2::text IS NULL OR a.action = $2) AND ($3::text IS NULL OR a.entity = $3)
  AND ($4::text IS NULL OR a.entity_id = $4 OR o.object_id = $4) AND ($5::text IS NULL OR a.request_id = $5)
  AND ($6::timestamptz IS NULL OR a.created_at >= $6) AND ($7::timestamptz IS NULL OR a.created_at < $7)
  AND ($8::bigint IS NULL OR (a.created_at, a.id) < (${sinceEpoch('$8')}, $9::bigint))
ORDER BY a.created_at DESC, a.id DESC LIMIT $10`;

/** One page, the latest first. */
export async function listAdminAudit(
  q: Queryable,
  { actor, action, entity, entityId, requestId, from, to }: AdminAuditFilter,
  page: Page,
): Promise<Listed<AdminAuditRow>[]> {
  const values = [actor, action, entity, entityId, requestId, from, to].map((value) => value ?? null);
  return (await q.query<Listed<AdminAuditRow>>(LIST, [...values, ...pageValues(page)])).rows;
}
