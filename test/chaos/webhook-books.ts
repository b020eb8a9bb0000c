/**
 * What must be true of notifications after anything was killed: our rows, the attempts and what the receiver has seen
 * tell the same story. Pure, so that it can itself be tested with books that are wrong.
 */
import { told } from './webhook-shop';
import type { Delivery } from './webhook-shop';

export interface NotificationBook {
  readonly id: string;
  readonly event_id: string;
  readonly path: string;
  readonly status: string;
  readonly attempts: number;
  readonly max_attempts: number;
  /** Attempts on record that failed and were no probes. */
  readonly failures: number;
}

export const READ_BOOKS = `
SELECT n.id, n.event_id, regexp_replace(e.url, '^http://[^/]*', '') AS path, n.status, n.attempts, n.max_attempts,
  (SELECT count(*) FROM webhook_attempts a WHERE a.notification_id = n.id AND a.kind <> 'probe'
   AND coalesce(a.status_code, 0) NOT BETWEEN 200 AND 299) AS failures
FROM webhook_notifications n JOIN webhook_endpoints e ON e.id = n.endpoint_id`;

export interface WebhookEvidence {
  /** webhook-ids of what was committed to the outbox, for each path. */
  readonly owed: ReadonlyMap<string, readonly string[]>;
  readonly books: readonly NotificationBook[];
  readonly deliveries: readonly Delivery[];
}

/** @returns one sentence for each thing that is wrong; empty when all is well */
export function checkWebhooks({ owed, books, deliveries }: WebhookEvidence): string[] {
  const arrived = told(deliveries);
  const rows = new Map(books.map((book) => [`${book.path} ${book.event_id}`, book]));
  const due = [...owed].flatMap(([path, ids]) => ids.map((id) => `${path} ${id}`));
  const known = new Set(due);
  return [
    ...due.filter((key) => !rows.has(key)).map((key) => `${key} was committed and is gone`),
    ...[...rows.keys()].filter((key) => !known.has(key)).map((key) => `${key} has a row and nobody made it`),
    ...[...new Set(deliveries.map(({ path, id }) => `${path} ${id}`))]
      .filter((key) => !known.has(key))
      .map((key) => `${key} was delivered under an id that nobody knows`),
    ...[...rows].flatMap(([key, book]) =>
      findingsOf(book, arrived.has(key)).map((wrong) => `${key}: ${wrong}`),
    ),
  ];
}

function findingsOf(book: NotificationBook, hasArrived: boolean): string[] {
  const { status, attempts, max_attempts: max, failures } = book;
  switch (status) {
    case 'success':
      return hasArrived ? [] : ['it counts as delivered and never arrived'];
    case 'failed':
      return [
        ...(hasArrived ? ['it was given up although it had arrived'] : []),
        ...(attempts === max && failures === max
          ? []
          : [`it was given up after ${failures} failures on record, ${attempts} counted, of ${max}`]),
      ];
    default:
      return [`it is still ${status}`];
  }
}

/** How many deliveries were answered 2xx although the same notification had been before. */
export function repeatsIn(deliveries: readonly Delivery[]): number {
  return [...told(deliveries).values()].reduce((sum, same) => sum + same.length - 1, 0);
}
