/** Who is traced is for us to say; what a collector wants to be sent is taken as OpenTelemetry writes it. */
import { context, trace, TraceFlags } from '@opentelemetry/api';
import { z } from 'zod';
import { collectorHeaders, traceSettings } from '../../src/config/trace-settings';
import { createTracing } from '../../src/observability/tracing-sdk';
import type { TracedService } from '../../src/observability/tracing';
import { readCompose } from '../deploy/compose';

const TRACE_ID = `${'0'.repeat(31)}1`;
const REQUESTS = 200;

/** Of requests with one id of the callers' choice: how many are kept. */
function kept(service: TracedService, share: number, flags: '00' | '01'): number {
  const settings = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_EXPORTER_OTLP_HEADERS: '',
    OTEL_TRACES_SAMPLER_ARG: share,
  };
  const tracing = createTracing(settings, service, () => undefined);
  let count = 0;
  for (let i = 0; i < REQUESTS; i += 1) {
    const span = tracing.request('GET', { traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-${flags}` });
    expect(span.traceId).toBe(TRACE_ID);
    span.run(() => {
      const { traceFlags = 0 } = trace.getSpanContext(context.active()) ?? {};
      if ((traceFlags & TraceFlags.SAMPLED) !== 0) count += 1;
    });
  }
  return count;
}

describe('what a caller says of it', () => {
  test.each(['00', '01'] as const)('%s: is not asked by the API', (flags) => {
    expect(kept('api', 0, flags)).toBe(0);
    expect(kept('api', 1, flags)).toBe(REQUESTS);
  });

  test('nor is the id it chose', () => {
    const some = kept('api', 0.5, '01');
    expect(some).toBeGreaterThan(0);
    expect(some).toBeLessThan(REQUESTS);
  });

  test('the API has decided, and workers follow', () => {
    expect(kept('worker', 0, '01')).toBe(REQUESTS);
    expect(kept('worker', 1, '00')).toBe(0);
  });
});

describe('headers for the collector', () => {
  test.each([
    ['', {}],
    ['x-key=abc', { 'x-key': 'abc' }],
    ['Authorization=Basic dXNlcjpwYXNz==', { Authorization: 'Basic dXNlcjpwYXNz==' }],
    ['Authorization=Basic%20dXNlcjpwYXNz%3D', { Authorization: 'Basic dXNlcjpwYXNz=' }],
    ['a=1%2C2%25, b = c d ', { a: '1,2%', b: 'c d' }],
  ])('%s', (text, headers) => expect(collectorHeaders(text)).toEqual(headers));

  test.each(['abc', '=abc', 'a=', 'a=1,', 'a b=1', 'a=100%', 'a=b%0D%0AX-Y: z', 'a=b\nc', 'a=%C3%A9'])(
    '%s is refused where settings are read',
    (text) => {
      const result = z.object(traceSettings).safeParse({ OTEL_EXPORTER_OTLP_HEADERS: text });
      expect(result.error?.issues.map(({ message }) => message)).toEqual([
        expect.stringMatching(/^expected name=value/),
      ]);
    },
  );
});

test.each(['api', 'worker', 'webhooks'])('compose hands every setting of traces to %s', (name) => {
  const { environment = {} } = readCompose().services[name] ?? {};
  expect(Object.keys(environment)).toEqual(expect.arrayContaining(Object.keys(traceSettings)));
});
