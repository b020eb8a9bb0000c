/** Events into the outbox, endpoints over the API, and who owns what: for the tests that withstand something. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import type { WebhookEvent } from '../../src/domain/webhook/events';
import { appendEvent, eventId } from '../../src/stores/outbox';
import { withTransaction } from '../../src/stores/postgres';
import { WEBHOOK_DELIVERY_WORKFLOW, webhookDeliveryWorkflowId } from '../../src/workflows/messages';

export interface Emitted {
  readonly no: string;
  readonly type: WebhookEvent;
  /** The webhook-id. */
  readonly id: string;
}

const DEFAULT_MAX_RETRIES = 5;
const RETRY_PAUSE_MS = 100;
const PER_TRANSACTION = 50;

/** Appends events as a payment's workflow does, 50 to a transaction, and rings; what is repeated adds nothing. */
export async function emit(
  db: Pool,
  merchantId: string,
  wanted: readonly { readonly no: string; readonly type: WebhookEvent }[],
): Promise<Emitted[]> {
  const emitted = wanted.map(({ no, type }) => ({ no, type, id: eventId(objectOf(merchantId, no)) }));
  for (let done = 0; done < emitted.length; done += PER_TRANSACTION) {
    await withTransaction(db, async (tx) => {
      for (const { no, type } of emitted.slice(done, done + PER_TRANSACTION)) {
        await appendEvent(tx, {
          ...objectOf(merchantId, no),
          ...{
            orderNo: no,
            type,
            status: 'success',
            amount: 1_000,
            currency: 'USD',
            at: new Date(),
            extra: {},
          },
          ...{ notifyUrl: null, defaultMaxRetries: DEFAULT_MAX_RETRIES },
        });
      }
    });
  }
  await db.query('NOTIFY holdfast_outbox');
  return emitted;
}

function objectOf(merchantId: string, objectNo: string) {
  return { merchantId, objectKind: 'payment', objectNo, sequence: 1 } as const;
}

/** Like emit, in small steps at a steady rate; goes on when the database comes back. */
export async function flow(
  db: Pool,
  merchantId: string,
  wanted: readonly { readonly no: string; readonly type: WebhookEvent }[],
  perSecond: number,
): Promise<Emitted[]> {
  const emitted: Emitted[] = [];
  const startMs = Date.now();
  while (emitted.length < wanted.length) {
    const due = Math.min(Math.ceil(((Date.now() - startMs + 50) / 1_000) * perSecond), wanted.length);
    const batch = wanted.slice(emitted.length, Math.min(due, emitted.length + PER_TRANSACTION));
    if (batch.length > 0) {
      emitted.push(...(await insistently(() => emit(db, merchantId, batch))));
    }
    if (due === emitted.length) await sleep(20);
  }
  return emitted;
}

/** Tries until it works: the servers under it are being killed. */
export async function insistently<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch {
      await sleep(RETRY_PAUSE_MS);
    }
  }
}

export const numbers = (prefix: string, count: number, type: WebhookEvent = 'payment.success') =>
  Array.from({ length: count }, (_, i) => ({ no: `${prefix}-${i}`, type }));

/** What a merchant does about its endpoints, over the API. */
export class EndpointClient {
  constructor(
    private readonly apiUrl: string,
    private readonly apiKey: string,
  ) {}

  async create(fields: {
    readonly url: string;
    readonly event_filter?: readonly WebhookEvent[];
    readonly max_retries?: number;
  }): Promise<string> {
    return (await this.call<{ id: string }>('POST', '', fields)).id;
  }

  change(id: string, fields: Readonly<Record<string, unknown>>): Promise<unknown> {
    return this.call('PATCH', `/${id}`, fields);
  }

  remove(id: string): Promise<unknown> {
    return this.call('DELETE', `/${id}`);
  }

  async recover(id: string, since: Date): Promise<number> {
    const body = { since: since.toISOString() };
    return (await this.call<{ recovered: number }>('POST', `/${id}/recover`, body)).recovered;
  }

  private async call<T>(method: string, path: string, json?: unknown): Promise<T> {
    const response = await fetch(`${this.apiUrl}/api/v1/webhook-endpoints${path}`, {
      method,
      headers: { authorization: `Bearer ${this.apiKey}`, 'content-type': 'application/json' },
      ...(json !== undefined && { body: JSON.stringify(json) }),
    });
    const answer = (await response.json()) as { message: string; data: T };
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer.message}`);
    return answer.data;
  }
}

/** How many notifications of an endpoint have each status. */
export async function countsOf(db: Pool, endpointId: string): Promise<Record<string, number>> {
  const { rows } = await db.query<{ status: string; n: number }>(
    'SELECT status, count(*) AS n FROM webhook_notifications WHERE endpoint_id = $1 GROUP BY status',
    [endpointId],
  );
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
}

/** Milliseconds from the moment each notification of an endpoint was written to its delivery; a repeat does not count. */
export async function waitsOf(db: Pool, endpointId: string, since = new Date(0)): Promise<number[]> {
  const { rows } = await db.query<{ ms: number }>(
    `SELECT extract(epoch FROM min(a.started_at) - n.created_at)::float8 * 1000 AS ms
     FROM webhook_notifications n JOIN webhook_attempts a ON a.notification_id = n.id
     WHERE n.endpoint_id = $1 AND n.status = 'success' AND a.status_code = 200 AND n.created_at >= $2 GROUP BY n.id`,
    [endpointId, since],
  );
  return rows.map(({ ms }) => ms).sort((a, b) => a - b);
}

export function spread(sorted: readonly number[]): { p50: number; p99: number; max: number } {
  const at = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? NaN);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** One sentence for each row `retrying` without its workflow, and for each open workflow without such a row. */
export async function orphans(db: Pool, client: Client, taskQueue: string): Promise<string[]> {
  const query = `WorkflowType = '${WEBHOOK_DELIVERY_WORKFLOW}' AND ExecutionStatus = 'Running' AND TaskQueue = '${taskQueue}'`;
  const running = new Set<string>();
  for await (const { workflowId } of client.workflow.list({ query })) running.add(workflowId);
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM webhook_notifications WHERE status = 'retrying'`,
  );
  const owned = new Set(rows.map(({ id }) => webhookDeliveryWorkflowId(id)));
  return [
    ...[...owned].filter((id) => !running.has(id)).map((id) => `${id} is retrying and has no workflow`),
    ...[...running].filter((id) => !owned.has(id)).map((id) => `${id} runs and its row is not retrying`),
  ];
}

/** For the note: what was measured. */
export function tell(line: string): void {
  process.stderr.write(`  ${line}\n`);
}
