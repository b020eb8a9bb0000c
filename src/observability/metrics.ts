/** What Prometheus reads of an API process: the process itself, its requests by route, and its limits. No merchant, no number. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

export interface ApiMetrics {
  /** @param route the pattern of the address; empty when there is no such route. @param seconds until the answer was out */
  request(method: string, route: string, status: number, seconds: number): void;
  /** @param outcome `allowed`, or the window that has refused */
  limited(outcome: string): void;
  /** A request refused because there is too much to do, by what its route is to the gateway. */
  shed(priority: string): void;
  /** A request refused because of its address. */
  addressRefused(): void;
  /** A connection that was closed because its address has too many. */
  connectionRefused(): void;
  contentType: string;
  /** Where other parts of the process show theirs. */
  readonly registry: Registry;
  /** The page, as Prometheus reads it. */
  page(): Promise<string>;
}

/** What is asked when the page is read. */
export interface MetricSources {
  /** Whether the limits are counted in the process, because Redis is away. */
  readonly isFallback: () => boolean;
  readonly scalePercent: () => number;
  readonly inFlight: () => number;
}

export function createApiMetrics(sources: MetricSources): ApiMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = new Counter({
    name: 'holdfast_http_requests_total',
    help: 'Requests answered, by route and status',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'holdfast_http_request_duration_seconds',
    help: 'Seconds from a request to its answer, by route',
    labelNames: ['method', 'route'],
    buckets: DURATION_BUCKETS,
    registers,
  });
  const decisions = new Counter({
    name: 'holdfast_limiter_decisions_total',
    help: 'Requests that the tier limits let through (allowed) or refused (the window that did)',
    labelNames: ['outcome'],
    registers,
  });
  const sheds = new Counter({
    name: 'holdfast_shed_total',
    help: 'Requests refused because there was too much to do',
    labelNames: ['priority'],
    registers,
  });
  const addresses = new Counter({
    name: 'holdfast_address_refused_total',
    help: 'Requests refused because of their address',
    registers,
  });
  const connections = new Counter({
    name: 'holdfast_connections_refused_total',
    help: 'Connections closed because their address has too many',
    registers,
  });
  gauge(registry, 'holdfast_limiter_fallback', '1 while the limits are counted in the process', () =>
    sources.isFallback() ? 1 : 0,
  );
  gauge(registry, 'holdfast_limiter_scale_percent', 'What the tiers are scaled to', sources.scalePercent);
  gauge(registry, 'holdfast_http_requests_in_flight', 'Requests at work', sources.inFlight);
  return {
    request(method, route, status, seconds) {
      requests.inc({ method, route, status });
      durations.observe({ method, route }, seconds);
    },
    limited: (outcome) => decisions.inc({ outcome }),
    shed: (priority) => sheds.inc({ priority }),
    addressRefused: () => addresses.inc(),
    connectionRefused: () => connections.inc(),
    contentType: registry.contentType,
    registry,
    page: () => registry.metrics(),
  };
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}
