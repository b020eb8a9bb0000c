/**
 * What happened and who must be told of it: one row in payment_events and one in webhook_notifications per endpoint,
 * both in the transaction of the change itself.
 */
import { createHash } from 'node:crypto';
import type { WebhookBody, WebhookEvent } from '../domain/webhook/events';
import { priorityBonusMs } from '../domain/webhook/priority';
import { normalUrl } from '../domain/webhook/url';
import type { Queryable } from './postgres';

export interface ObjectEvent {
  merchantId: string;
  objectKind: 'payment' | 'pre_auth' | 'refund';
  objectNo: string;
  /** What merchants are told as payment_no, where that is another object's number: a refund's is that of its payment. */
  paymentNo?: string;
  orderNo: string;
  /** Counts the events of the object, from 1. */
  sequence: number;
  type: WebhookEvent;
  status: string;
  amount: number;
  currency: string;
  at: Date;
  extra: Readonly<Record<string, string | number | boolean>>;
  notifyUrl: string | null;
  /** Retries for endpoints that set none of their own. */
  defaultMaxRetries: number;
}

const EVENT_NAMESPACE = Buffer.from('6f1c1d0a5f3a4f0f9a6b2f7d3c1e8b42', 'hex');

/** UUID version 5 of the object and the sequence of its event: the same event always has the same id. */
export function eventId(
  event: Pick<ObjectEvent, 'merchantId' | 'objectKind' | 'objectNo' | 'sequence'>,
): string {
  return uuidV5(`${event.merchantId}/${event.objectKind}/${event.objectNo}/${event.sequence}`);
}

/** UUID version 5 of a name that is ours. */
export function uuidV5(name: string): string {
  const bytes = createHash('sha1').update(EVENT_NAMESPACE).update(name).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

interface Appending {
  /** SQL of the merchant's id. */
  readonly merchant: string;
  /** SQL of what eventsParameter() gives. */
  readonly events: string;
  /** SQL that must hold, or nothing is written. */
  readonly condition: string;
  /** SQL for an event that is written already: empty, and the statement fails. */
  readonly onRepeat: 'ON CONFLICT DO NOTHING' | '';
}

/**
 * The part of a statement that writes the events of one object with their notifications, as `WITH` queries; the last,
 * `told`, has a row per notification added. A notify_url belongs to the implicit endpoint of its origin; where it is an
 * explicit endpoint's URL already, that one is told and the implicit one is not. Disabled endpoints get their rows too:
 * these wait.
 */
export const appendEventsSql = ({ merchant, events, condition, onRepeat }: Appending) => `
given AS (
  SELECT g.* FROM jsonb_to_recordset(${events}::jsonb) AS g (id uuid, object_kind text, object_no text, payment_no text, sequence int,
    type text, status text, data jsonb, notify_url text, notify_origin text, notify_normal_url text, body text,
    default_max_retries int, head_start_ms float8)
  WHERE ${condition}
), event AS (
  INSERT INTO payment_events (merchant_id, object_kind, object_no, sequence, type, status, data)
  SELECT ${merchant}, object_kind, object_no, sequence, type, status, data FROM given
  ${onRepeat}
), explicit AS (
  SELECT g.id AS event_id, e.id, e.url, coalesce(e.normal_url, e.url) AS normal_url, e.max_retries
  FROM webhook_endpoints e JOIN given g ON e.event_filter = '{}' OR g.type = ANY (e.event_filter)
  WHERE e.merchant_id = ${merchant} AND e.kind = 'explicit' AND e.deleted_at IS NULL
), target AS (
  SELECT event_id, id, url, max_retries FROM explicit
  UNION ALL
  SELECT g.id, e.id, g.notify_url, e.max_retries FROM webhook_endpoints e JOIN given g ON e.url = g.notify_origin
  WHERE e.merchant_id = ${merchant} AND e.kind = 'implicit' AND e.deleted_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM explicit x WHERE x.event_id = g.id AND x.normal_url = g.notify_normal_url)
), told AS (
  INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, max_attempts, rank)
  SELECT gen_random_uuid(), g.id, t.id, ${merchant}, g.payment_no, g.type, t.url, g.body::jsonb, g.body,
    coalesce(t.max_retries, g.default_max_retries) + 1, now() - g.head_start_ms * interval '1 millisecond'
  FROM target t JOIN given g ON g.id = t.event_id
  ON CONFLICT (event_id, endpoint_id) DO NOTHING RETURNING 1
)`;

const ONE_EVENT = {
  merchant: '$1::uuid',
  events: '$2',
  condition: 'true',
  onRepeat: 'ON CONFLICT DO NOTHING',
} as const;
const APPEND = `WITH ${appendEventsSql(ONE_EVENT)} SELECT count(*)::int AS told FROM told`;

/** Transactions that have added notifications: after their commit the relays are told, after others nobody is. */
const withNews = new WeakSet<Queryable>();

export function noteNews(tx: Queryable): void {
  withNews.add(tx);
}

/** Whether this transaction has added notifications; asked once, before its commit. */
export function takeNews(tx: Queryable): boolean {
  return withNews.delete(tx);
}

/** Appends the event and its notifications; a repeat adds nothing. */
export async function appendEvent(q: Queryable, event: ObjectEvent): Promise<void> {
  const { rows } = await q.query<{ told: number }>(APPEND, [event.merchantId, eventsParameter([event])]);
  if ((rows[0]?.told ?? 0) > 0) noteNews(q);
}

/** The events of one object as appendEventsSql() takes them. */
export function eventsParameter(events: readonly ObjectEvent[]): string {
  return JSON.stringify(events.map(eventRow));
}

function eventRow(event: ObjectEvent) {
  const paymentNo = event.paymentNo ?? event.objectNo;
  const body: WebhookBody = {
    event: event.type,
    payment_no: paymentNo,
    order_no: event.orderNo,
    amount: event.amount,
    currency: event.currency,
    status: event.status,
    timestamp: Math.floor(event.at.getTime() / 1000),
    extra: { ...event.extra, sequence: event.sequence },
  };
  return {
    id: eventId(event),
    object_kind: event.objectKind,
    object_no: event.objectNo,
    payment_no: paymentNo,
    sequence: event.sequence,
    type: event.type,
    status: event.status,
    data: event.extra,
    notify_url: event.notifyUrl,
    notify_origin: event.notifyUrl === null ? null : new URL(event.notifyUrl).origin,
    notify_normal_url: event.notifyUrl === null ? null : normalUrl(event.notifyUrl),
    body: JSON.stringify(body),
    default_max_retries: event.defaultMaxRetries,
    head_start_ms: priorityBonusMs(event.amount, event.currency),
  };
}

/** An event of no payment: a test, news of another endpoint, a warning. Explicit endpoints only, as there is no notify_url. */
export interface EndpointEvent {
  merchantId: string;
  type: Extract<WebhookEvent, 'webhook.test' | 'webhook.endpoint_disabled' | 'rate_limit.warning'>;
  /** Stands in the place of the object's number as well. */
  eventId: string;
  status: string;
  at: Date;
  extra: Readonly<Record<string, string | number | boolean>>;
  /** `only`: this endpoint, whatever its filter; `except`: the merchant's others whose filter matches; `all`: every such one. */
  to: { only: string } | { except: string } | 'all';
  /** Retries for endpoints that set none of their own. */
  defaultMaxRetries: number;
}

const APPEND_ENDPOINT_EVENT = `
INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, max_attempts)
SELECT gen_random_uuid(), $2::uuid, id, $1::uuid, $2::text, $3::text, url, $4::jsonb, $5::text, coalesce(max_retries, $6::int) + 1
FROM webhook_endpoints
WHERE merchant_id = $1::uuid AND kind = 'explicit' AND deleted_at IS NULL
  AND CASE WHEN $7::uuid IS NOT NULL THEN id = $7::uuid
      ELSE id IS DISTINCT FROM $8::uuid AND (event_filter = '{}' OR $3::text = ANY (event_filter)) END
ON CONFLICT (event_id, endpoint_id) DO NOTHING
RETURNING id`;

/** Appends one notification per endpoint it is for; a repeat adds nothing. @returns the ids of the notifications added */
export async function appendEndpointEvent(q: Queryable, event: EndpointEvent): Promise<string[]> {
  const body: WebhookBody = {
    event: event.type,
    payment_no: event.eventId,
    order_no: '',
    amount: 0,
    currency: '',
    status: event.status,
    timestamp: Math.floor(event.at.getTime() / 1000),
    extra: { ...event.extra, sequence: 1 },
  };
  const bytes = JSON.stringify(body);
  const [only, except] =
    event.to === 'all' ? [null, null] : 'only' in event.to ? [event.to.only, null] : [null, event.to.except];
  const values = [
    event.merchantId,
    event.eventId,
    event.type,
    bytes,
    bytes,
    event.defaultMaxRetries,
    only,
    except,
  ];
  return (await q.query<{ id: string }>(APPEND_ENDPOINT_EVENT, values)).rows.map((row) => row.id);
}

/** Tells the merchant's other endpoints that this one was switched off; the same switching-off is told once. */
export function appendEndpointDisabled(
  q: Queryable,
  endpoint: { id: string; merchantId: string; reason: string; disabledAt: Date },
  defaultMaxRetries: number,
): Promise<string[]> {
  return appendEndpointEvent(q, {
    merchantId: endpoint.merchantId,
    type: 'webhook.endpoint_disabled',
    eventId: uuidV5(
      `${endpoint.merchantId}/webhook_endpoint/${endpoint.id}/${endpoint.disabledAt.getTime()}`,
    ),
    status: 'disabled',
    at: endpoint.disabledAt,
    extra: { endpoint_id: endpoint.id, reason: endpoint.reason },
    to: { except: endpoint.id },
    defaultMaxRetries,
  });
}

const NOTE = `
INSERT INTO payment_events (merchant_id, object_kind, object_no, sequence, type, status, data)
SELECT $1::uuid, $2::text, $3::text, -(count(*) + 1), $4::text, $5::text, $6::jsonb FROM payment_events
WHERE merchant_id = $1::uuid AND object_kind = $2::text AND object_no = $3::text AND sequence < 0
ON CONFLICT DO NOTHING`;

/** Notes for the record what merchants are not told of (an operator's decision, news of a closed object): sequence below zero. */
export async function appendNote(
  q: Queryable,
  note: {
    merchantId: string;
    objectKind: ObjectEvent['objectKind'];
    objectNo: string;
    type: string;
    status: string;
    data: Readonly<Record<string, unknown>>;
  },
): Promise<void> {
  await q.query(NOTE, [note.merchantId, note.objectKind, note.objectNo, note.type, note.status, note.data]);
}
