/** Traces with OpenTelemetry's SDK; loaded by tracing.ts, and only where they are wanted. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type { Context, ContextManager, Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { Resource } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  SamplingDecision,
} from '@opentelemetry/sdk-trace-base';
import type { Sampler } from '@opentelemetry/sdk-trace-base';
import {
  OpenTelemetryActivityInboundInterceptor,
  OpenTelemetryWorkflowClientInterceptor,
} from '@temporalio/interceptors-opentelemetry';
import { collectorHeaders } from '../config/trace-settings';
import type { TraceSettings } from '../config/trace-settings';
import { careful } from './span-export';
import type { RequestSpan, TracedService, Tracing } from './tracing';

const EXPORT_TIMEOUT_MS = 5_000;
const CLOSE_MS = 2_000;
const EXPORT_EVERY_MS = 1_000;

export function createTracing(
  settings: TraceSettings,
  service: TracedService,
  warn: (problem: { readonly err: unknown }) => void,
): Tracing {
  const exporter = new OTLPTraceExporter({
    url: `${settings.OTEL_EXPORTER_OTLP_ENDPOINT.replace(/\/$/, '')}/v1/traces`,
    headers: collectorHeaders(settings.OTEL_EXPORTER_OTLP_HEADERS) ?? {},
    timeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const provider = new BasicTracerProvider({
    resource: new Resource({ 'service.name': `holdfast-${service}` }),
    sampler: samplerOf(service, settings.OTEL_TRACES_SAMPLER_ARG),
    spanProcessors: [
      new BatchSpanProcessor(careful(exporter, warn), { scheduledDelayMillis: EXPORT_EVERY_MS }),
    ],
  });
  provider.register({ contextManager: new AsyncContexts() });
  const tracer = provider.getTracer('holdfast');
  return {
    request: (method, headers) => beginRequest(tracer, method, headers),
    workflowClient: new OpenTelemetryWorkflowClientInterceptor({ tracer }),
    activity: (ctx) => ({ inbound: new OpenTelemetryActivityInboundInterceptor(ctx, { tracer }) }),
    channels: { begin: (channel, operation) => beginCall(tracer, channel, operation) },
    logFields() {
      const span = trace.getSpanContext(context.active());
      return span !== undefined && isSpanContextValid(span) ? { trace_id: span.traceId } : {};
    },
    async close() {
      const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref());
      await Promise.race([provider.shutdown().catch((error: unknown) => warn({ err: error })), late]);
    },
  };
}

/**
 * A worker follows the API. Callers of the API are strangers until their key is looked at: neither their flag decides what
 * is kept, nor the id they choose, so that chance is drawn and not read from it.
 */
function samplerOf(service: TracedService, share: number): Sampler {
  const root: Sampler = {
    shouldSample: () => ({
      decision: Math.random() < share ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD,
    }),
    toString: () => `Share{${share}}`,
  };
  return new ParentBasedSampler(
    service === 'worker' ? { root } : { root, remoteParentSampled: root, remoteParentNotSampled: root },
  );
}

/** Keeps the span at work over everything that a piece of work awaits. */
class AsyncContexts implements ContextManager {
  private readonly storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    work: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.storage.run(active, () => work.apply(thisArg, args));
  }

  bind<T>(active: Context, target: T): T {
    if (typeof target !== 'function') return target;
    const work = target as unknown as (...args: unknown[]) => unknown;
    return ((...args: unknown[]) => this.storage.run(active, () => work(...args))) as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.storage.disable();
    return this;
  }
}

function beginRequest(
  tracer: Tracer,
  method: string,
  headers: Readonly<Record<string, unknown>>,
): RequestSpan {
  // Its name for the trace, and no more: `tracestate` would go with it into histories.
  const parent = propagation.extract(ROOT_CONTEXT, { traceparent: headers['traceparent'] });
  const span = tracer.startSpan(method, { kind: SpanKind.SERVER }, parent);
  const active = trace.setSpan(parent, span);
  return {
    traceId: span.spanContext().traceId,
    run: (work) => context.with(active, work),
    end(name, attributes, hasFailed) {
      span.updateName(name).setAttributes({ ...attributes });
      if (hasFailed) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

const NO_ANSWER: ReadonlySet<string> = new Set(['not_sent', 'in_progress', 'maybe_executed', 'error']);

function beginCall(tracer: Tracer, channel: string, operation: string) {
  const attributes = { 'holdfast.channel': channel, 'holdfast.operation': operation };
  const span = tracer.startSpan(`${channel} ${operation}`, { kind: SpanKind.CLIENT, attributes });
  return (outcome: string, reason?: string) => {
    span.setAttribute('holdfast.outcome', outcome);
    if (reason !== undefined) span.setAttribute('holdfast.decline_code', reason);
    if (NO_ANSWER.has(outcome)) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  };
}
