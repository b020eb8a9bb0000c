/** The merchants' changes of the webhook benches: writes notifications as the outbox does and rings its bell. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../src/config/config';
import { createOutboxBell } from '../src/stores/outbox-bell';
import { createDatabase } from '../src/stores/postgres';
import type { Database } from '../src/stores/postgres';
import { preciseNowMs, serve } from './webhooks-child';

const BODY_BYTES = 500;
const BATCH = 500;
const TICK_MS = 5;
const MAX_ATTEMPTS = 6;

export interface Recipients {
  readonly database: string;
  readonly merchantId: string;
  /** Told in turn. */
  readonly endpointIds: readonly string[];
}

/** What was written in an open loop, one entry per notification. */
export interface Written {
  readonly eventIds: readonly string[];
  readonly endpointIds: readonly string[];
  /** When its commit was known, in Unix milliseconds. */
  readonly acceptedAtMs: readonly number[];
  /** How much later that was than the clock of the open loop wanted it to be written. */
  readonly lateMs: readonly number[];
}

// As appendEvent writes them, without the event's own row: the relay is measured, not the payment.
const INSERT = `
INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, max_attempts)
SELECT gen_random_uuid(), g.event_id, e.id, $3, 'PAY' || left(g.event_id::text, 8), 'payment.success', e.url, g.body::jsonb, g.body, ${MAX_ATTEMPTS}
FROM unnest($1::uuid[], $2::uuid[], $4::text[]) AS g (event_id, endpoint_id, body)
JOIN webhook_endpoints e ON e.id = g.endpoint_id`;

const outboxes = new Map<string, { readonly db: Database; readonly ring: () => void }>();

function outboxOf(database: string) {
  const known = outboxes.get(database);
  if (known !== undefined) return known;
  const db = createDatabase({ ...loadConfig(), DB_NAME: database }, () => undefined);
  const opened = { db, ring: createOutboxBell(db) };
  outboxes.set(database, opened);
  return opened;
}

/** A body of exactly BODY_BYTES bytes. */
function bodyOf(eventId: string): string {
  const start = `{"event":"payment.success","payment_no":"${eventId}","status":"succeeded","note":"`;
  return `${start.padEnd(BODY_BYTES - 2, 'x')}"}`;
}

let turn = 0;

/** @returns the ids when they are committed */
async function write(to: Recipients, count: number): Promise<{ eventIds: string[]; endpointIds: string[] }> {
  const { db, ring } = outboxOf(to.database);
  const eventIds = Array.from({ length: count }, () => randomUUID());
  const endpointIds = eventIds.map(() => to.endpointIds[turn++ % to.endpointIds.length] ?? '');
  await db.query(INSERT, [eventIds, endpointIds, to.merchantId, eventIds.map(bodyOf)]);
  ring();
  return { eventIds, endpointIds };
}

const calls = {
  /** As fast as one connection takes them. @returns when the first was written, in Unix milliseconds */
  async burst(to: Recipients, count: number): Promise<number> {
    const startedAtMs = preciseNowMs();
    for (let left = count; left > 0; left -= BATCH) await write(to, Math.min(left, BATCH));
    return startedAtMs;
  },
  /** At a steady rate, whatever becomes of them. */
  async stream(to: Recipients, perSecond: number, seconds: number): Promise<Written> {
    const written = {
      eventIds: [] as string[],
      endpointIds: [] as string[],
      acceptedAtMs: [] as number[],
      lateMs: [] as number[],
    };
    const writing: Promise<void>[] = [];
    const startedAtMs = preciseNowMs();
    const total = Math.round(perSecond * seconds);
    const writeNext = async (from: number, count: number): Promise<void> => {
      const { eventIds, endpointIds } = await write(to, count);
      const acceptedAtMs = preciseNowMs();
      written.eventIds.push(...eventIds);
      written.endpointIds.push(...endpointIds);
      for (let i = from; i < from + count; i += 1) {
        written.acceptedAtMs.push(acceptedAtMs);
        written.lateMs.push(acceptedAtMs - (startedAtMs + (i * 1_000) / perSecond));
      }
    };
    for (let sent = 0; sent < total;) {
      const due = Math.min(Math.floor(((preciseNowMs() - startedAtMs) / 1_000) * perSecond) + 1, total);
      if (due > sent) writing.push(writeNext(sent, due - sent));
      sent = due;
      await sleep(TICK_MS);
    }
    await Promise.all(writing);
    return written;
  },
};
export type GeneratorCalls = typeof calls;

serve(calls);
