/** Traces, when somebody collects them. Where nobody does, nothing of OpenTelemetry is even loaded. */
import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { TraceSettings } from '../config/trace-settings';
import type * as TracingSdk from './tracing-sdk';

export const TRACES_LOST = 'traces could not be handed to their collector';

export type TracedService = 'api' | 'worker';

export interface RequestSpan {
  readonly traceId: string;
  /** Does the work within the span: what it begins is part of the trace. */
  run(work: () => void): void;
  /** @param attributes what is known at the end; numbers, patterns and ids, nothing a customer has said */
  end(name: string, attributes: Readonly<Record<string, string | number>>, hasFailed: boolean): void;
}

export interface Tracing {
  /** A request comes in. @param headers among them the caller's `traceparent`: the trace has its id */
  request(method: string, headers: Readonly<Record<string, unknown>>): RequestSpan;
  /** For clients of Temporal: workflows and commands carry the trace in a header. */
  readonly workflowClient: WorkflowClientInterceptor;
  readonly activity: ActivityInterceptorsFactory;
  /** Calls of channels, as spans. */
  readonly channels: {
    begin(channel: string, operation: string): (outcome: string, reason?: string) => void;
  };
  /** What a log line says of the trace that it belongs to. */
  readonly logFields: () => { readonly trace_id?: string };
  /** Sends what still waits, for a moment. */
  close(): Promise<void>;
}

/**
 * @param warn told now and then that the collector does not take what it is sent
 * @returns undefined: nobody collects traces
 */
export function startTracing(
  settings: TraceSettings,
  service: TracedService,
  warn: (problem: { readonly err: unknown }) => void,
): Tracing | undefined {
  if (settings.OTEL_EXPORTER_OTLP_ENDPOINT === '') return undefined;
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- an import() of ours would have to name a compiled file
  const { createTracing } = require('./tracing-sdk') as typeof TracingSdk;
  return createTracing(settings, service, warn);
}
