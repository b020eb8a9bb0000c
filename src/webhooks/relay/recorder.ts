/**
 * Records outcomes, in batches: what became of each notification, of its endpoint's health, gate and ramp. What follows
 * outside PostgreSQL (workflows, Redis) is done after the commit; what is lost there the sweep or the next look finds.
 */
import type { Logger } from '../../observability/logger';
import { judgeAttempt, retryDelayMs } from '../../domain/webhook/delivery-policy';
import type { AttemptResult, BackoffSettings } from '../../domain/webhook/delivery-policy';
import { mustDisable, mustGate } from '../../domain/webhook/gate';
import type { FailedWebhook } from '../../domain/webhook/failed';
import { appendEndpointDisabled } from '../../stores/outbox';
import { withTransaction } from '../../stores/postgres';
import type { Database, Queryable } from '../../stores/postgres';
import { noteFailures, openGate, releaseWaiting } from '../../stores/webhook-endpoint-health';
import type { DeliveryLease } from '../../stores/webhook-leases';
import {
  lockEndpointHealth,
  recordSuccesses,
  takeBackLeases,
  writeFailures,
} from '../../stores/webhook-outcomes';
import type { Attempted, FailureWrite, LeasedState, LockedEndpoint } from '../../stores/webhook-outcomes';
import { Healing } from './healing';

/** A notification that a workflow of its own carries from now on. */
export interface RetryToStart {
  readonly notificationId: string;
  readonly merchantId: string;
  readonly paymentNo: string;
  readonly event: string;
  readonly endpointHost: string;
  readonly attempts: number;
  readonly maxAttempts: number;
  /** Until the next attempt is due, from when this was written. */
  readonly pauseMs: number;
}

/** The delivery workflows as the relay needs them. Neither call rejects: the sweep finds what was not started. */
export interface WebhookWorkflows {
  start(retry: RetryToStart): Promise<void>;
  wake(notificationIds: readonly string[]): Promise<void>;
}

export interface RecorderSettings extends BackoffSettings {
  readonly maxInFlightPerEndpoint: number;
  readonly maxInRetryPerEndpoint: number;
  readonly gateWindowMs: number;
  readonly disableAfterMs: number;
  /** Retries for endpoints that set none of their own. */
  readonly defaultMaxRetries: number;
}

export interface RecorderDeps {
  readonly db: Database;
  readonly log: Logger;
  readonly workflows: WebhookWorkflows;
  /** Keeps what was given up where operators look first. Never rejects: it is a copy. */
  readonly noteFailed: (failed: readonly FailedWebhook[]) => Promise<void>;
  readonly settings: RecorderSettings;
  readonly random: () => number;
}

/** What a notification's row says after its attempt was recorded. */
export interface Recorded {
  readonly notificationId: string;
  readonly status: 'success' | 'failed' | 'retrying' | 'pending';
  readonly attempts: number;
  /** Until the next attempt is due, from when this was written; null when there is none, or it was due before. */
  readonly pauseMs: number | null;
}

export interface Recorder {
  /**
   * @param startWorkflows false when the notification's workflow itself asks: it goes on by what it is told
   * @returns one entry per attempt that counted
   * @throws Error when PostgreSQL cannot be reached; recording the same attempts again is safe
   */
  record(attempts: readonly Attempted[], startWorkflows?: boolean): Promise<Recorded[]>;
  /** Waits for gates that are being opened, and for healths that are being noted. */
  close(): Promise<void>;
}

/** What is to be done once the transaction has committed. */
interface AfterCommit {
  readonly recorded: Recorded[];
  readonly starts: RetryToStart[];
  readonly failed: FailedWebhook[];
}

export function createRecorder(deps: RecorderDeps): Recorder {
  const openings = new Openings();
  const healing = new Healing(deps, deps.settings.maxInFlightPerEndpoint);
  return {
    async close() {
      await Promise.all([openings.ended(), healing.ended()]);
    },
    async record(attempts, startWorkflows = true) {
      const after: AfterCommit = { recorded: [], starts: [], failed: [] };
      const successes = attempts.filter(({ result }) => isSuccess(result));
      if (successes.length > 0) await recordDelivered(deps, successes, after, { openings, healing });
      for (const [endpointId, failures] of byEndpoint(attempts.filter(({ result }) => !isSuccess(result)))) {
        await withTransaction(deps.db, (tx) => recordFailed(deps, tx, endpointId, failures, after));
      }
      if (startWorkflows) for (const start of after.starts) await deps.workflows.start(start);
      await deps.noteFailed(after.failed);
      return after.recorded;
    },
  };
}

/** What nobody waits for. */
interface Background {
  readonly openings: Openings;
  readonly healing: Healing;
}

/** Gates being opened, so that a process that stops can wait for them. */
class Openings {
  private readonly running = new Set<Promise<void>>();

  add(opening: Promise<void>): void {
    this.running.add(opening);
    void opening.finally(() => this.running.delete(opening));
  }

  async ended(): Promise<void> {
    await Promise.all(this.running);
  }
}

/** Whatever the endpoint, a 2xx is a success. */
export function isSuccess(result: AttemptResult): boolean {
  return judgeAttempt(result, 'explicit').kind === 'delivered';
}

function byEndpoint(attempts: readonly Attempted[]): Map<string, Attempted[]> {
  const groups = new Map<string, Attempted[]>();
  for (const attempt of attempts) {
    const group = groups.get(attempt.lease.endpointId);
    if (group === undefined) groups.set(attempt.lease.endpointId, [attempt]);
    else group.push(attempt);
  }
  return groups;
}

async function recordDelivered(
  deps: RecorderDeps,
  successes: readonly Attempted[],
  after: AfterCommit,
  { openings, healing }: Background,
): Promise<void> {
  const done = await recordSuccesses(deps.db, successes);
  for (const { id, attempts } of done) {
    after.recorded.push({ notificationId: id, status: 'success', attempts, pauseMs: null });
  }
  for (const endpointId of new Set(done.filter((row) => row.opens_gate).map((row) => row.endpoint_id))) {
    openings.add(open(deps, endpointId));
  }
  const healed = new Set(done.filter((row) => row.heals && !row.opens_gate).map((row) => row.endpoint_id));
  healing.add(healed);
}

/**
 * A 2xx opens the gate, and what waited goes to the relay; its workflows are woken. Nobody waits for it, because it may
 * wait for the endpoint's lock or release thousands; what fails here the next probe does again.
 */
async function open(deps: RecorderDeps, endpointId: string): Promise<void> {
  try {
    const waiting = await withTransaction(deps.db, async (tx) =>
      (await openGate(tx, endpointId)) ? releaseWaiting(tx, endpointId) : undefined,
    );
    if (waiting === undefined) return;
    deps.log.info({ endpointId }, 'a webhook endpoint answers again: its gate is open');
    if (waiting.length > 0) await deps.workflows.wake(waiting);
  } catch (error) {
    deps.log.warn({ err: error, endpointId }, 'a gate could not be opened; the next probe does it');
  }
}

async function recordFailed(
  deps: RecorderDeps,
  tx: Queryable,
  endpointId: string,
  failures: readonly Attempted[],
  after: AfterCommit,
): Promise<void> {
  const before = await lockEndpointHealth(tx, endpointId);
  const states = new Map((await takeBackLeases(tx, failures)).map((state) => [state.id, state]));
  const counted = failures.filter(({ lease }) => states.has(lease.job.notificationId));
  if (counted.length === 0) return;
  // What the old address answered says nothing of the new one, nor of an endpoint that is deleted.
  const telling = before.deleted ? [] : counted.filter(({ lease }) => !hasMoved(before, lease));
  const endpoint = telling.length === 0 ? before : await noteEndpoint(deps, tx, before, telling);
  let inRetry = endpoint.inRetry;
  const writes: FailureWrite[] = [];
  for (const attempted of counted) {
    const state = states.get(attempted.lease.job.notificationId);
    if (state === undefined || state.status === 'success' || state.status === 'failed') continue;
    const write = judge(deps, endpoint, attempted, state, inRetry);
    if (write.status === 'retrying' && state.status !== 'retrying') inRetry += 1;
    if (write.status !== 'retrying' && state.status === 'retrying') inRetry -= 1;
    writes.push(write);
    noteAfterCommit(endpoint, state, write, after);
  }
  await writeFailures(tx, writes);
}

/** Failures of an endpoint: its gate may shut, or it is switched off and the merchant's other endpoints are told. */
async function noteEndpoint(
  deps: RecorderDeps,
  tx: Queryable,
  endpoint: LockedEndpoint,
  failures: readonly Attempted[],
): Promise<LockedEndpoint> {
  const { nowMs } = endpoint;
  const { gateWindowMs, disableAfterMs, defaultMaxRetries } = deps.settings;
  const failuresInRow = endpoint.failuresInRow + failures.length;
  const failingSinceMs = endpoint.failingSinceMs ?? nowMs;
  const health = { failuresInRow, failingSinceMs, lastSuccessAtMs: endpoint.lastSuccessAtMs };
  const isGone = failures.some(({ result }) => {
    const verdict = judgeAttempt(result, endpoint.kind);
    return verdict.kind === 'final' && verdict.disableEndpoint;
  });
  const disable = isGone ? 'GONE' : mustDisable(health, disableAfterMs, nowMs) ? 'FAILING' : null;
  const gate = endpoint.gated || mustGate(health, gateWindowMs, nowMs);
  const last = failures.at(-1)?.result;
  const lastError = String(last?.statusCode ?? last?.error ?? 'INTERNAL');
  const note = { failuresInRow, failingSinceMs, lastError, gate, disable } as const;
  const disabledAt = await noteFailures(tx, endpoint.id, note);
  const { id, merchantId } = endpoint;
  if (gate && !endpoint.gated)
    deps.log.warn({ endpointId: id, lastError }, 'a webhook endpoint does not answer: gated');
  if (disable !== null && endpoint.enabled && disabledAt !== null) {
    deps.log.warn({ endpointId: id, reason: disable }, 'a webhook endpoint was switched off');
    await appendEndpointDisabled(tx, { id, merchantId, reason: disable, disabledAt }, defaultMaxRetries);
  }
  return { ...endpoint, gated: gate, enabled: disabledAt === null };
}

/** The endpoint got another address while this was under way to the old one. */
function hasMoved({ kind, url }: LockedEndpoint, { job }: DeliveryLease): boolean {
  return kind === 'explicit' && job.url !== url;
}

function judge(
  deps: RecorderDeps,
  endpoint: LockedEndpoint,
  attempted: Attempted,
  state: LeasedState,
  inRetry: number,
): FailureWrite {
  const { lease, result } = attempted;
  const verdict = judgeAttempt(result, endpoint.kind);
  const unchanged = { attempted, pauseMs: null, endReason: null };
  if (verdict.kind !== 'retry') return { ...unchanged, status: 'failed', attempts: state.attempts + 1 };
  if (endpoint.deleted) {
    const endReason = 'ENDPOINT_DELETED';
    return { ...unchanged, status: 'failed', attempts: state.attempts + 1, endReason };
  }
  // A probe asks about the endpoint; that it does not answer says nothing of this notification.
  if (lease.kind === 'probe') {
    const status = state.status === 'retrying' ? 'retrying' : 'pending';
    return { ...unchanged, status, attempts: state.attempts };
  }
  const attempts = state.attempts + 1;
  if (attempts >= state.max_attempts) return { ...unchanged, status: 'failed', attempts };
  // The new address is tried at once, as those are that slept when it was given.
  const pauseMs = hasMoved(endpoint, lease)
    ? 0
    : retryDelayMs(attempts, deps.settings, verdict.retryAfterMs, deps.random());
  const isCarried = state.status === 'retrying' || inRetry < deps.settings.maxInRetryPerEndpoint;
  const status = isCarried && endpoint.enabled && !endpoint.gated ? 'retrying' : 'pending';
  return { ...unchanged, status, attempts, pauseMs };
}

function noteAfterCommit(
  endpoint: LockedEndpoint,
  state: LeasedState,
  write: FailureWrite,
  after: AfterCommit,
): void {
  const { status, attempts, pauseMs } = write;
  const { result, lease } = write.attempted;
  const { id: notificationId, merchant_id: merchantId, payment_no: paymentNo, event } = state;
  after.recorded.push({ notificationId, status, attempts, pauseMs });
  if (status === 'retrying' && pauseMs !== null) {
    const endpointHost = hostOf(lease);
    const maxAttempts = state.max_attempts;
    const place = { notificationId, merchantId, paymentNo, event, endpointHost };
    after.starts.push({ ...place, attempts, maxAttempts, pauseMs });
  }
  if (status !== 'failed') return;
  const error = write.endReason ?? result.error;
  const place = { notificationId, merchantId, paymentNo, event };
  after.failed.push({ ...place, attempts, statusCode: result.statusCode, error, failedAtMs: endpoint.nowMs });
}

function hostOf(lease: DeliveryLease): string {
  return URL.canParse(lease.job.url) ? new URL(lease.job.url).host : '';
}
