/** What of a span leaves the process: names, times and attributes on a list. Texts of errors may quote anything and stay here. */
import type { Attributes } from '@opentelemetry/api';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';

const ATTRIBUTES: ReadonlySet<string> = new Set([
  ...['http.request.method', 'http.route', 'http.response.status_code', 'error.type'],
  ...['holdfast.request_id', 'holdfast.merchant_id', 'holdfast.channel', 'holdfast.operation'],
  ...['holdfast.outcome', 'holdfast.decline_code'],
  // Of Temporal's interceptors.
  ...['temporalWorkflowId', 'run_id', 'temporalActivityId', 'temporalUpdateId'],
]);

const WARN_EVERY_MS = 60_000;

/** @param warn told at most once in a minute that spans could not be handed over: they are lost */
export function careful(
  exporter: SpanExporter,
  warn: (problem: { readonly err: unknown }) => void,
): SpanExporter {
  let quietUntilMs = 0;
  return {
    export(spans, done) {
      exporter.export(spans.map(bare), (result) => {
        // 0 is success; the enumeration is no part of the API.
        if (Number(result.code) !== 0 && performance.now() >= quietUntilMs) {
          quietUntilMs = performance.now() + WARN_EVERY_MS;
          warn({ err: result.error });
        }
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}

/** Events are what exceptions are kept as. */
function bare(span: ReadableSpan): ReadableSpan {
  const { code } = span.status;
  return Object.create(span, {
    attributes: { value: listed(span.attributes) },
    events: { value: [] },
    status: { value: { code } },
  }) as ReadableSpan;
}

function listed(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => ATTRIBUTES.has(name)));
}
