/** The settings of traces, under the names that OpenTelemetry gives them. */
import { z } from 'zod';

const HEADERS = /^([A-Za-z0-9_-]+=[^,=\s]+(,[A-Za-z0-9_-]+=[^,=\s]+)*)?$/;

export const traceSettings = {
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .union([z.literal(''), z.url({ protocol: /^https?$/ })])
    .default('')
    .describe(
      'Base address of an OpenTelemetry collector (OTLP over HTTP), e.g. http://127.0.0.1:4318; empty: no traces are made',
    ),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .regex(HEADERS, 'expected name=value, comma separated')
    .default('')
    .describe('Headers the collector wants, name=value, comma separated: secret'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe(
      'Share of the requests that are traced, of those whose caller has not decided it (traceparent)',
    ),
};

export type TraceSettings = z.infer<z.ZodObject<typeof traceSettings>>;
