/**
 * The workflows of webhook deliveries as seen from outside. The rows are committed before anything is started here, and
 * the sweep finds what was not: so a start that fails is repeated for a while, logged, and never anybody's error.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { searchAttributesOf } from '../domain/search-attributes';
import type { Logger } from '../observability/logger';
import * as messages from '../workflows/messages';
import type { WebhookDeliveryArgs } from '../workflows/messages';
import { findably } from './search-attributes';

export interface WebhookGateway {
  /** Starts the notification's workflow, or wakes it when it runs. Resolves at once, when it stands in line; never rejects. */
  start(retry: WebhookDeliveryArgs): Promise<void>;
  /** Tells workflows to look at their row, those that run. Resolves at once, like start; never rejects. */
  wake(notificationIds: readonly string[]): Promise<void>;
  /** Like start, but resolves when it is done. @throws when Temporal cannot be reached within 5 s */
  ensure(retry: WebhookDeliveryArgs): Promise<void>;
  /** Takes no more and waits for what stands in line, at most so long. */
  close(timeoutMs: number): Promise<void>;
}

export interface WebhookGatewaySettings {
  readonly taskQueue: string;
  /** The client stands on the connection of a worker in this process, which then may take the first task along. */
  readonly eager: boolean;
  /** Whether the notification's row still waits for its retry. */
  readonly isRetrying: (notificationId: string) => Promise<boolean>;
}

const RPC_DEADLINE_MS = 5_000;
const LANES = 16;
/** Calls that wait for their turn; beyond that the sweep is faster. */
const MAX_WAITING = 10_000;
/** How long a start that failed is repeated: a restart of Temporal, not an outage. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 1_000;
const START_TRIES = 3;

export function createWebhookGateway(
  client: Client,
  log: Logger,
  settings: WebhookGatewaySettings,
): WebhookGateway {
  const lanes = new Lanes(LANES);
  let isClosed = false;

  const withinDeadline = <T>(work: () => Promise<T>) =>
    client.withDeadline(Date.now() + RPC_DEADLINE_MS, work);

  async function startNew(retry: WebhookDeliveryArgs): Promise<boolean> {
    const { notificationId, merchantId, paymentNo: number, event, endpointHost } = retry;
    const options = {
      workflowId: messages.webhookDeliveryWorkflowId(notificationId),
      taskQueue: settings.taskQueue,
      args: [retry] as [WebhookDeliveryArgs],
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      requestEagerStart: settings.eager,
      staticSummary: `${event} of ${number} to ${endpointHost}`,
      staticDetails: `Merchant \`${merchantId}\`, payment \`${number}\``,
    } as const;
    const typedSearchAttributes = searchAttributesOf({ merchantId, number });
    try {
      await withinDeadline(() =>
        findably((isFindable) =>
          client.workflow.start(messages.WEBHOOK_DELIVERY_WORKFLOW, {
            ...options,
            ...(isFindable && { typedSearchAttributes }),
          }),
        ),
      );
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  }

  /** @returns false when no workflow of this notification runs */
  async function wakeOne(notificationId: string): Promise<boolean> {
    const handle = client.workflow.getHandle(messages.webhookDeliveryWorkflowId(notificationId));
    try {
      await withinDeadline(() => handle.signal(messages.wakeSignal));
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  /**
   * Not simply "use existing": the one that runs may be about to end, because the relay had the row meanwhile. Told to
   * look again it either does, or has closed, and then a new one can be started.
   */
  async function ensure(retry: WebhookDeliveryArgs): Promise<void> {
    for (let i = 0; i < START_TRIES; i += 1) {
      if (await startNew(retry)) return wakeWhereSettled(retry.notificationId);
      if (await wakeOne(retry.notificationId)) return;
    }
    throw new Error('the workflow ended again and again while it was being started');
  }

  /** Whoever settled the row before its workflow was there could not wake it, and it would sleep to the end of its pause. */
  async function wakeWhereSettled(notificationId: string): Promise<void> {
    try {
      if (!(await settings.isRetrying(notificationId))) await wakeOne(notificationId);
    } catch (error) {
      // Its timer fires in any case, and then it looks at its row.
      log.warn({ err: error, notificationId }, 'it is not known whether a webhook retry is still wanted');
    }
  }

  async function ensurePatiently(retry: WebhookDeliveryArgs, sinceMs: number): Promise<void> {
    const { notificationId } = retry;
    for (let i = 0; ; i += 1) {
      try {
        return await ensure(retry);
      } catch (error) {
        if (i === 0) log.warn({ err: error, notificationId }, 'a webhook retry could not be started yet');
        if (isClosed || Date.now() - sinceMs > PATIENCE_MS) {
          log.warn({ notificationId }, 'a webhook retry is left to the sweep');
          return;
        }
        await sleep(PAUSE_MS);
      }
    }
  }

  async function wakeQuietly(notificationId: string): Promise<void> {
    await wakeOne(notificationId).catch((error: unknown) => {
      // Its timer fires in any case, and then it looks at its row.
      log.warn({ err: error, notificationId }, 'a webhook retry could not be woken');
    });
  }

  function enqueue(notificationId: string, work: () => Promise<void>): void {
    if (!isClosed && lanes.waiting < MAX_WAITING) void lanes.run(work);
    else
      log.warn(
        { notificationId },
        'a webhook retry is left to the sweep: too many wait, or the process ends',
      );
  }

  return {
    ensure,

    start(retry) {
      const sinceMs = Date.now();
      enqueue(retry.notificationId, () => ensurePatiently(retry, sinceMs));
      return Promise.resolve();
    },

    wake(notificationIds) {
      for (const id of notificationIds) enqueue(id, () => wakeQuietly(id));
      return Promise.resolve();
    },

    async close(timeoutMs) {
      isClosed = true;
      const timer = new AbortController();
      await Promise.race([
        lanes.idle(),
        sleep(timeoutMs, undefined, { signal: timer.signal }).catch(() => undefined),
      ]);
      timer.abort();
    },
  };
}

/** So much at once; the others wait in line. The work must not reject. */
class Lanes {
  private running = 0;
  private readonly line: (() => void)[] = [];
  private readonly onIdle: (() => void)[] = [];

  constructor(private readonly width: number) {}

  get waiting(): number {
    return this.line.length;
  }

  async run(work: () => Promise<unknown>): Promise<void> {
    if (this.running >= this.width) await new Promise<void>((resolve) => this.line.push(resolve));
    else this.running += 1;
    try {
      await work();
    } finally {
      // The place goes to the next in line without having been free, so that nobody can overtake.
      const next = this.line.shift();
      if (next !== undefined) next();
      else if ((this.running -= 1) === 0) for (const resolve of this.onIdle.splice(0)) resolve();
    }
  }

  idle(): Promise<void> {
    return this.running === 0 ? Promise.resolve() : new Promise((resolve) => this.onIdle.push(resolve));
  }
}
