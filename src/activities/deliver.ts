/**
 * One retry: lease the row, send, record. Safe to run twice: the row decides who may send, and its lease says whose
 * outcome counts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { AttemptResult } from '../domain/webhook/delivery-policy';
import { giveUpNotification } from '../stores/webhook-endings';
import type { RetryLease } from '../stores/webhook-lanes';
import type { DeliveryLease } from '../stores/webhook-leases';
import type { RecordedOutcome, WebhookActivityDeps } from './webhook-deps';

/** Times are lengths, counted from the answer: no two clocks are compared. */
export type RetryStep =
  /** The notification needs this workflow no more. */
  | { readonly kind: 'ended'; readonly status: string }
  | { readonly kind: 'handed_back' }
  | {
      readonly kind: 'retry';
      readonly attempts: number;
      readonly pauseMs: number;
      readonly lastAnswer: string;
    }
  | { readonly kind: 'wait'; readonly pauseMs: number };

/** A timer that fires a moment early is waited for here: another round through the workflow would cost a second. */
const NEARLY_DUE_MS = 500;
/** Less than the activity may take; the lease has run out long before. */
const RECORD_PATIENCE_MS = 600_000;
const RECORD_PAUSE_MS = 500;
const MAX_RECORD_PAUSE_MS = 5_000;

export function createDeliverActivities(deps: WebhookActivityDeps) {
  /** @param force an operator wants it now, however long the pause is */
  async function attemptRetry(notificationId: string, force: boolean): Promise<RetryStep> {
    const leased = await leaseWhenDue(deps, notificationId, force);
    if (leased.kind === 'ended') {
      await deps.noteFailed(leased.failed);
      return { kind: 'ended', status: 'settled elsewhere' };
    }
    if (leased.kind !== 'leased') return leased;
    const { lease } = leased;
    const result = await unlessStopped(deps.send(lease.job));
    // The request is on its way, and what becomes of it nobody will see: the lease keeps others away for its time.
    if (result === 'stopped') return { kind: 'wait', pauseMs: 0 };
    return stepAfter(await recordPatiently(deps, lease, result), result);
  }

  /** @returns the status the row has now: `failed`, or the final one it had before */
  async function giveUp(notificationId: string, reason: string): Promise<{ status: string }> {
    const row = await giveUpNotification(deps.db, notificationId, reason);
    if (row === undefined) return { status: 'deleted' };
    if (row.givenUp !== null) await deps.noteFailed([row.givenUp]);
    return { status: row.status };
  }

  return { attemptRetry, giveUp };
}

async function leaseWhenDue(
  deps: WebhookActivityDeps,
  notificationId: string,
  force: boolean,
): Promise<RetryLease> {
  const leased = await deps.leaseForRetry(notificationId, force);
  if (leased.kind !== 'wait' || leased.pauseMs > NEARLY_DUE_MS) return leased;
  await sleep(leased.pauseMs);
  return deps.leaseForRetry(notificationId, force);
}

/**
 * The worker is asked to stop and its grace is over: the work is left to itself. When it is only Temporal that has
 * given this run up (it was away, or we were), the work goes on: what was sent is recorded all the same.
 */
async function unlessStopped<T>(work: Promise<T>): Promise<T | 'stopped'> {
  const context = Context.current();
  const signal = context.cancellationSignal;
  let onAbort: () => void = () => undefined;
  const stopped = new Promise<'stopped'>((resolve) => {
    onAbort = () => {
      const { notFound = false, timedOut = false } = context.cancellationDetails ?? {};
      if (!notFound && !timedOut) resolve('stopped');
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** What was sent must be recorded: while the database is away the outcome waits here, or the receiver gets a repeat. */
async function recordPatiently(
  deps: WebhookActivityDeps,
  lease: DeliveryLease,
  result: AttemptResult,
): Promise<RecordedOutcome | undefined> {
  const endMs = deps.now() + RECORD_PATIENCE_MS;
  for (let pauseMs = RECORD_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_RECORD_PAUSE_MS)) {
    try {
      return await deps.record(lease, result);
    } catch (error) {
      if (deps.now() > endMs) throw error;
      const { notificationId } = lease.job;
      deps.log.warn({ err: error, notificationId }, 'the outcome of a delivery waits to be recorded');
      if ((await unlessStopped(sleep(pauseMs))) === 'stopped') throw error;
    }
  }
}

function stepAfter(recorded: RecordedOutcome | undefined, result: AttemptResult): RetryStep {
  // The lease had run out: somebody else has the row, and the next look tells how far they are.
  if (recorded === undefined) return { kind: 'wait', pauseMs: 0 };
  const { status, attempts, pauseMs } = recorded;
  if (status === 'pending') return { kind: 'handed_back' };
  if (status !== 'retrying') return { kind: 'ended', status };
  const lastAnswer = result.statusCode === null ? (result.error ?? 'no answer') : `HTTP ${result.statusCode}`;
  return { kind: 'retry', attempts, pauseMs: pauseMs ?? 0, lastAnswer };
}
