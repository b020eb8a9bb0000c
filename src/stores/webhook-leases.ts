/** A lease: the right to make one attempt, with everything that the attempt needs. */
import type { DeliveryJob, EndpointKind } from '../domain/webhook/delivery-policy';
import type { SecretBox } from './secret-box';
import { WEBHOOK_SECRET_PURPOSE } from './merchants';
import { ENDPOINT_SECRET_PURPOSE } from './webhook-endpoints';

export type DeliveryKind = 'first' | 'retry' | 'probe';

/** The right to make one attempt, until it runs out. */
export interface DeliveryLease {
  readonly job: DeliveryJob;
  /** An outcome counts only with it, except that a success always counts. */
  readonly token: string;
  readonly endpointId: string;
  readonly merchantId: string;
  readonly kind: DeliveryKind;
}

/** What a claim returns of each notification and its endpoint. */
export interface LeasedRow {
  id: string;
  event_id: string;
  event: string;
  body: string;
  url: string;
  attempts: number;
  token: string;
  endpoint_id: string;
  merchant_id: string;
  kind: EndpointKind;
  secret_sealed: string | null;
  previous_secret_sealed: string | null;
  merchant_secret_sealed: string;
  previous_merchant_secret_sealed: string | null;
}

export const LEASED_COLUMNS = `n.id, n.event_id, n.event, n.body, n.attempts, n.endpoint_id, n.merchant_id, e.kind, leased.token,
  CASE e.kind WHEN 'explicit' THEN e.url ELSE n.url END AS url, e.secret_sealed,
  CASE WHEN e.previous_secret_until > now() THEN e.previous_secret_sealed END AS previous_secret_sealed,
  m.webhook_secret_sealed AS merchant_secret_sealed,
  CASE WHEN m.previous_webhook_secret_until > now() THEN m.previous_webhook_secret_sealed END AS previous_merchant_secret_sealed`;
export const LEASED_JOIN = `FROM leased JOIN webhook_notifications n ON n.id = leased.notification_id
  JOIN webhook_endpoints e ON e.id = n.endpoint_id JOIN merchants m ON m.id = n.merchant_id`;

/** Secrets opened lately: a busy endpoint's would be opened for every delivery. Sealed texts are unique, so none is stale. */
const OPENED_MAX = 1_000;
const opened = new Map<string, string>();

/** [] for one that cannot be opened (its key is gone): that endpoint's attempt fails, and no other's claim with it. */
function openOnce(box: SecretBox, sealed: string | null, purpose: string): readonly string[] {
  if (sealed === null) return [];
  const known = opened.get(sealed);
  if (known !== undefined) return [known];
  try {
    const secret = box.open(sealed, purpose);
    if (opened.size >= OPENED_MAX) opened.clear();
    opened.set(sealed, secret);
    return [secret];
  } catch {
    return [];
  }
}

export function leaseOf(box: SecretBox, row: LeasedRow, kind: DeliveryKind): DeliveryLease {
  // An endpoint without a secret of its own signs with its merchant's default.
  const [purpose, secret, older] =
    row.secret_sealed === null
      ? ([WEBHOOK_SECRET_PURPOSE, row.merchant_secret_sealed, row.previous_merchant_secret_sealed] as const)
      : ([ENDPOINT_SECRET_PURPOSE, row.secret_sealed, row.previous_secret_sealed] as const);
  const current = openOnce(box, secret, purpose);
  const previous = openOnce(box, older, purpose);
  const { id: notificationId, event_id: eventId, event, body, url } = row;
  return {
    job: {
      ...{ notificationId, eventId, event, body, url },
      attempt: row.attempts + 1,
      // Without its current secret nothing can be signed.
      secrets: current.length === 0 ? [] : [...current, ...previous],
    },
    token: row.token,
    endpointId: row.endpoint_id,
    merchantId: row.merchant_id,
    kind,
  };
}
