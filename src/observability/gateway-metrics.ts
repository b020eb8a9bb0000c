/**
 * What an API process shows beside its own requests: its routing decisions, which channels it holds out of service, and how
 * the webhooks of all processes stand, which it reads from PostgreSQL when Prometheus asks.
 */
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

export interface Decided {
  readonly channel: string;
  readonly level: string;
  /** The strategy that made the difference. */
  readonly decidedBy?: string;
}

/** Seconds and counts; a count that has reached its ceiling stays there. */
export interface WebhookBacklog {
  /** Since when the webhook that has been due longest is due; 0: none is. */
  readonly oldestWaitingSeconds: number;
  readonly inRetry: number;
  readonly gatedEndpoints: number;
}

export interface GatewaySources {
  readonly channels: readonly string[];
  readonly isOutOfService: (channel: string) => boolean;
  readonly readBacklog: () => Promise<WebhookBacklog>;
  readonly nowMs: () => number;
}

export interface GatewayMetrics {
  decided(decision: Decided): void;
}

/** However many Prometheus servers ask, and how often. */
const BACKLOG_KEPT_MS = 10_000;
/** A page must not wait for a database that does not answer. */
const BACKLOG_WAIT_MS = 2_000;

export function createGatewayMetrics(registry: Registry, sources: GatewaySources): GatewayMetrics {
  const registers = [registry];
  const decisions = new Counter({
    name: 'holdfast_routing_decisions_total',
    help: 'Orders routed, by channel, by the level that decided and the strategy that made the difference',
    labelNames: ['channel', 'level', 'strategy'],
    registers,
  });
  new Gauge({
    name: 'holdfast_channel_out_of_service',
    help: '1 while this process sends a channel no orders, because its calls fail',
    labelNames: ['channel'],
    registers,
    collect() {
      for (const channel of sources.channels) this.set({ channel }, sources.isOutOfService(channel) ? 1 : 0);
    },
  });
  backlogGauges(registry, keptFor(BACKLOG_KEPT_MS, sources.nowMs, sources.readBacklog));
  return {
    decided({ channel, level, decidedBy = '' }) {
      decisions.inc({ channel, level, strategy: decidedBy });
    },
  };
}

function backlogGauges(registry: Registry, read: () => Promise<WebhookBacklog | undefined>): void {
  const gauge = (name: string, help: string, of: (backlog: WebhookBacklog) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const backlog = await read();
        // What is not known is not shown: an old number would look like a present one.
        if (backlog === undefined) this.remove();
        else this.set(of(backlog));
      },
    });
  gauge(
    'holdfast_webhook_oldest_waiting_seconds',
    'Seconds for which the webhook that waits longest could have been sent',
    (backlog) => backlog.oldestWaitingSeconds,
  );
  gauge(
    'holdfast_webhook_in_retry',
    'Webhooks whose first attempt has failed and whose next one is still to come',
    (backlog) => backlog.inRetry,
  );
  gauge(
    'holdfast_webhook_gated_endpoints',
    'Webhook endpoints that get probes only, because they do not answer',
    (backlog) => backlog.gatedEndpoints,
  );
}

/** One reading for all who ask within so long; undefined where it fails or takes too long. */
function keptFor<T>(
  keptMs: number,
  nowMs: () => number,
  read: () => Promise<T>,
): () => Promise<T | undefined> {
  let reading: Promise<T | undefined> | undefined;
  let startedAtMs = 0;
  return () => {
    if (reading === undefined || nowMs() - startedAtMs >= keptMs) {
      startedAtMs = nowMs();
      reading = within(BACKLOG_WAIT_MS, read());
    }
    return reading;
  };
}

function within<T>(limitMs: number, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), limitMs);
    work.then(resolve, () => resolve(undefined)).finally(() => clearTimeout(timer));
  });
}
