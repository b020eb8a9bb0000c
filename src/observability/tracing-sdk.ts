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
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import {
  OpenTelemetryActivityInboundInterceptor,
  OpenTelemetryWorkflowClientInterceptor,
} from '@temporalio/interceptors-opentelemetry';
import type { TraceSettings } from '../config/trace-settings';
import { careful } from './span-export';
import type { RequestSpan, Tracing } from './tracing';

const EXPORT_TIMEOUT_MS = 5_000;
const CLOSE_MS = 2_000;
const EXPORT_EVERY_MS = 1_000;
/** As W3C has it: longer ones are not ours to carry. */
const PROPAGATED = ['traceparent', 'tracestate'];

export function createTracing(
  settings: TraceSettings,
  service: string,
  warn: (problem: { readonly err: unknown }) => void,
): Tracing {
  const exporter = new OTLPTraceExporter({
    url: `${settings.OTEL_EXPORTER_OTLP_ENDPOINT.replace(/\/$/, '')}/v1/traces`,
    headers: headersOf(settings.OTEL_EXPORTER_OTLP_HEADERS),
    timeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const provider = new BasicTracerProvider({
    resource: new Resource({ 'service.name': `holdfast-${service}` }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(settings.OTEL_TRACES_SAMPLER_ARG) }),
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
  const carrier = Object.fromEntries(PROPAGATED.map((name) => [name, headers[name]]));
  const parent = propagation.extract(ROOT_CONTEXT, carrier);
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

function headersOf(text: string): Record<string, string> {
  const pairs = text.split(',').filter((pair) => pair !== '');
  return Object.fromEntries(
    pairs.map((pair) => pair.split('=')).map(([name = '', value = '']) => [name, value]),
  );
}
