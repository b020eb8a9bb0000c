/** One trace from the caller's through the API, the workflow and its activities to the channel, at a collector that takes OTLP. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { eventually, SECRETS, startSystem } from './harness';
import type { System } from './harness';
import { CREATE_PATH, holdOf } from './merchant-client';
import type { MerchantClient } from './merchant-client';

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: readonly Attribute[];
  readonly events?: readonly unknown[];
  readonly status: Readonly<Record<string, unknown>>;
}
interface Exported {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

const HEADER = 'Basic Y29sbGVjdG9y,a2V5MDEyMzQ1Njc4OQ==';
const spans: Span[] = [];
const bodies: string[] = [];
const services = new Set<unknown>();
const refused: unknown[] = [];
const collector = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.url !== '/v1/traces' || request.headers['x-key'] !== HEADER) refused.push(request.url);
    const body = Buffer.concat(chunks).toString();
    bodies.push(body);
    for (const { resource, scopeSpans } of (JSON.parse(body) as Exported).resourceSpans) {
      services.add(resource.attributes.find(({ key }) => key === 'service.name')?.value['stringValue']);
      spans.push(...scopeSpans.flatMap((scope) => scope.spans));
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
});
let system: System;
let stripeUrl: string;
let merchant: MerchantClient;

beforeAll(async () => {
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  system = await startSystem({
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: `x-key=${HEADER.replace(',', '%2C')}, x-tenant = holdfast`,
    },
  });
  stripeUrl = system.sandbox.url;
  merchant = system.client();
}, 120_000);
afterAll(async () => {
  await system?.stop();
  collector.close();
  collector.closeAllConnections();
});

/** A caller with a trace of its own. */
function caller(flags = '01') {
  const traceId = randomBytes(16).toString('hex');
  const spanId = randomBytes(8).toString('hex');
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-${flags}` } };
}

const ofTrace = (traceId: string) => spans.filter((span) => span.traceId === traceId);

/** The spans of a trace, once one of this name has come. */
async function trace(traceId: string, last: string): Promise<Span[]> {
  const all = await eventually(
    `a span ${last}`,
    () => Promise.resolve(ofTrace(traceId)),
    (found) => found.some(({ name }) => name === last) && found.some(({ name }) => name.startsWith('POST')),
  );
  return all;
}

/** From a span to the root of its trace. */
function pathOf(all: readonly Span[], name: string): string[] {
  const path: string[] = [];
  for (let at = all.find((span) => span.name === name); at !== undefined;) {
    path.unshift(at.name);
    const { parentSpanId } = at;
    at = all.find(({ spanId }) => spanId === parentSpanId);
  }
  return path;
}

const EMAIL = 'traced.customer@shop.example';

it('a hold is one trace from its caller to the channel, and so is its capture', async () => {
  const creating = caller();
  const hold = { ...holdOf(), customer_email: EMAIL };
  const { status, data } = await merchant.call(CREATE_PATH, { json: hold, headers: creating.headers });
  expect(status).toBe(201);
  const created = await trace(creating.traceId, 'stripe create_pre_auth');
  expect(pathOf(created, 'stripe create_pre_auth')).toEqual([
    `POST ${CREATE_PATH}`,
    expect.stringMatching(/WithStart/),
    'RunActivity:executeCommand',
    'stripe create_pre_auth',
  ]);
  expect(created.find(({ name }) => name.startsWith('POST'))?.parentSpanId).toBe(creating.spanId);

  await merchant.confirm(stripeUrl, data);
  await merchant.waitFor(data.pre_auth_no, 'requires_capture');
  const capturing = caller();
  const path = `/api/v1/pre-auth/${data.pre_auth_no}/capture`;
  const captured = await merchant.call(path, { json: {}, headers: capturing.headers });
  expect(captured.status).toBe(200);
  const all = await trace(capturing.traceId, 'stripe capture_pre_auth');
  expect(pathOf(all, 'stripe capture_pre_auth').at(0)).toBe('POST /api/v1/pre-auth/{pre_auth_no}/capture');
  expect(pathOf(all, 'stripe capture_pre_auth')).toHaveLength(4);
  expect([...services].sort()).toEqual(['holdfast-api', 'holdfast-worker']);
  expect(refused).toEqual([]);
}, 60_000);

it('a caller does not decide what is sent, and without a caller it is a trace of its own', async () => {
  const unsampled = caller('00');
  await merchant.call(CREATE_PATH, { json: holdOf(), headers: unsampled.headers });
  await trace(unsampled.traceId, 'stripe create_pre_auth');
  const before = spans.length;
  const key = 'own-trace-0001';
  await merchant.call(CREATE_PATH, { json: holdOf(), headers: { 'x-request-id': key } });
  const own = await eventually(
    'its span',
    () => Promise.resolve(spans.slice(before).find((span) => JSON.stringify(span).includes(key))),
    (span) => span !== undefined,
  );
  expect(own?.parentSpanId ?? '').toBe('');
  await trace(own?.traceId ?? '', 'stripe create_pre_auth');
});

it('a line of the log names its trace', async () => {
  const asking = caller();
  await merchant.call('/api/v1/pre-auth/none', { headers: asking.headers });
  await eventually(
    'the line of the request',
    () => Promise.resolve(system.logs('api')),
    (text) => text.includes(`"trace_id":"${asking.traceId}"`),
  );
});

it('says nothing of errors but that there was one, and nothing of customers or secrets', async () => {
  const failing = caller();
  await system.sandbox.fault('create', 'error_before', { times: 3 });
  await merchant.call(CREATE_PATH, {
    json: { ...holdOf(), customer_email: EMAIL },
    headers: failing.headers,
  });
  await trace(failing.traceId, 'stripe create_pre_auth');
  await system.sandbox.clearFaults();
  const failed = spans.filter(({ status }) => status['code'] === 2);
  expect(failed.length).toBeGreaterThan(0);
  expect(spans.filter((span) => (span.events ?? []).length > 0 || 'message' in span.status)).toEqual([]);
  const sent = bodies.join('\n');
  for (const secret of [EMAIL, merchant.apiKey, system.adminKey, SECRETS.stripeKey, '_secret_', HEADER])
    expect(sent.includes(secret)).toBe(false);
}, 30_000);

it('leaves nothing in a history but the header, which names a trace and nothing else', async () => {
  const asking = caller();
  const headers = { ...asking.headers, tracestate: 'stranger=text', baggage: 'stranger=text' };
  const { data: hold } = await merchant.call(CREATE_PATH, { json: holdOf(), headers });
  const { events } = await system.workflow(hold.pre_auth_no).fetchHistory();
  const fields = events?.[0]?.workflowExecutionStartedEventAttributes?.header?.fields ?? {};
  const texts = Object.entries(fields).map(([name, { data }]) => [name, Buffer.from(data ?? []).toString()]);
  expect(texts).toEqual([['_tracer-data', expect.stringContaining(asking.traceId)]]);
  expect(Object.keys(JSON.parse(texts[0]?.[1] ?? '{}') as object)).toEqual(['traceparent']);
});

it('loads nothing of it where nobody collects traces', () => {
  const root = join(__dirname, '../..');
  const code = `
    const { startTracing } = require('./src/observability/tracing');
    const given = startTracing({ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, 'api', () => undefined);
    console.log(JSON.stringify([given === undefined, Object.keys(require.cache).filter((file) => file.includes('opentelemetry'))]));`;
  const out = execFileSync(process.execPath, ['--import', 'tsx', '-e', code], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(JSON.parse(out)).toEqual([true, []]);
});
