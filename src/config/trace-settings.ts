/** The settings of traces, under the names that OpenTelemetry gives them. */
import { z } from 'zod';

const HEADER = /^\s*([A-Za-z0-9_-]+)\s*=(.*)$/;
/** What a header may be made of. */
const PRINTABLE = /^[\x20-\x7e]+$/;

/**
 * @param text `name=value`, comma separated; values percent-encoded where they have a comma, as OpenTelemetry has it
 * @returns undefined: it is no such list
 */
export function collectorHeaders(text: string): Record<string, string> | undefined {
  const headers: Record<string, string> = {};
  for (const pair of text === '' ? [] : text.split(',')) {
    const [, name, encoded = ''] = HEADER.exec(pair) ?? [];
    const value = decoded(encoded.trim());
    if (name === undefined || value === undefined || !PRINTABLE.test(value)) return undefined;
    headers[name] = value;
  }
  return headers;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

export const traceSettings = {
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .union([z.literal(''), z.url({ protocol: /^https?$/ })])
    .default('')
    .describe(
      'Base address of an OpenTelemetry collector (OTLP over HTTP), e.g. http://127.0.0.1:4318; empty: no traces are made',
    ),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .refine(
      (text) => collectorHeaders(text) !== undefined,
      'expected name=value, comma separated, values percent-encoded where they have a comma or a %',
    )
    .default('')
    .describe('Headers the collector wants, name=value, comma separated, values percent-encoded: secret'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('Share of the requests that are traced, whatever their callers say of it (traceparent)'),
};

export type TraceSettings = z.infer<z.ZodObject<typeof traceSettings>>;
