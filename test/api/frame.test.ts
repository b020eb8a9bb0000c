import { connect } from 'node:net';
import { z } from 'zod';
import { defineRoute } from '../../src/api/route';
import { healthRoutes } from '../../src/api/routes/health';
import { startApi } from './harness';
import type { ApiHarness } from './harness';
import { common, sampleRoutes } from './sample-routes';

const never = (): Promise<never> => new Promise(() => undefined);

describe('the frame', () => {
  let api: ApiHarness;
  beforeAll(async () => {
    const checks = {
      postgres: () => Promise.resolve(),
      temporal: never,
      redis: () => Promise.reject(new Error('x')),
    };
    api = await startApi(() => [...sampleRoutes(), ...healthRoutes(checks, 100)]);
  });
  afterAll(() => api.close());

  it('answers in the envelope, with a request id and the headers every answer has', async () => {
    const answer = await api.request('POST', '/t/echo', { key: api.merchantKey, json: { amount: 5 } });
    expect(answer.status).toBe(201);
    expect(answer.json).toEqual({
      code: 'SUCCESS',
      message: 'Success',
      data: {
        body: { amount: 5 },
        merchant: api.merchant.id,
        requestId: answer.headers.get('x-request-id'),
      },
    });
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('x-powered-by')).toBeNull();
  });

  it('keeps a sane request id of the caller and replaces any other', async () => {
    const sane = await api.request('GET', '/t/refuse', { headers: { 'x-request-id': 'Abc-1._2' } });
    expect(sane.headers.get('x-request-id')).toBe('Abc-1._2');
    expect(sane.json).toEqual({
      code: 'PRE_AUTH_CLOSED',
      message: 'The hold is closed.',
      details: { status: 'canceled' },
      request_id: 'Abc-1._2',
    });
    const other = await api.request('GET', '/t/refuse', { headers: { 'x-request-id': 'a b' } });
    expect(other.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('writes one log line a request, with the pattern of the address and no body, number or key', async () => {
    api.logLines.length = 0;
    await api.request('GET', '/t/things/xyz?channel=stripe', { key: api.merchantKey });
    await api.request('GET', '/t/crash');
    expect(api.logLines.filter((line) => line.msg === 'request')).toEqual([
      expect.objectContaining({
        method: 'GET',
        route: '/t/things/{thing_no}',
        status: 200,
        duration_ms: expect.any(Number) as number,
        request_id: expect.any(String) as string,
        merchant_id: api.merchant.id,
      }),
      expect.objectContaining({ route: '/t/crash', status: 500, code: 'INTERNAL_ERROR' }),
    ]);
    const text = JSON.stringify(api.logLines);
    expect(text).not.toContain('xyz');
    expect(text).not.toContain(api.merchantKey);
    expect(text).toContain('the secret is 42');
  });

  it('shows nothing of an unexpected error', async () => {
    const answer = await api.request('GET', '/t/crash');
    expect(answer.status).toBe(500);
    expect(answer.json.code).toBe('INTERNAL_ERROR');
    expect(answer.text).not.toContain('secret');
  });

  it('hands over raw bytes up to their own limit, whatever the content type', async () => {
    const answer = await api.request('POST', '/t/raw', { body: Buffer.alloc(200_000, 1) });
    expect([answer.status, answer.text]).toEqual([200, '200000']);
    const large = await api.request('POST', '/t/raw', { body: Buffer.alloc(1024 * 1024 + 1, 1) });
    expect([large.status, large.json.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  it('knows 404 from 405', async () => {
    const missing = await api.request('GET', '/nowhere');
    expect([missing.status, missing.json.code]).toEqual([404, 'ROUTE_NOT_FOUND']);
    const wrong = await api.request('DELETE', '/t/things/abc');
    expect([wrong.status, wrong.json.code]).toEqual([405, 'METHOD_NOT_ALLOWED']);
    expect(wrong.headers.get('allow')).toBe('GET, HEAD');
  });

  it('is ready but degraded without Temporal and Redis', async () => {
    const answer = await api.request('GET', '/readyz');
    expect([answer.status, answer.json]).toEqual([
      200,
      {
        status: 'degraded',
        degraded: ['temporal', 'redis'],
        checks: { postgres: 'up', temporal: 'down', redis: 'down' },
      },
    ]);
    expect((await api.request('GET', '/healthz')).status).toBe(200);
  });

  it('is not ready without PostgreSQL', async () => {
    const up = (): Promise<void> => Promise.resolve();
    const down = await startApi(() => healthRoutes({ postgres: never, temporal: up, redis: up }, 50));
    const answer = await down.request('GET', '/readyz');
    expect([answer.status, answer.json]).toMatchObject([503, { status: 'unavailable' }]);
    await down.close();
  });

  it('takes JSON with a charset, and an optional query', async () => {
    const headers = { 'content-type': 'application/json; charset=UTF-8' };
    const answer = await api.request('POST', '/t/echo', {
      key: api.merchantKey,
      headers,
      body: '{"amount":9007199254740991}',
    });
    expect(answer.status).toBe(201);
    const read = await api.request('GET', '/t/things/xyz?channel=stripe', { key: api.merchantKey });
    expect(read.json.data).toEqual({ thing_no: 'xyz', channel: 'stripe' });
  });

  it.each([
    ['no key', undefined],
    ['a key of another form', 'Bearer sk_test_123'],
    ['a made-up key', `Bearer hf_live_${'a'.repeat(40)}`],
    ['another scheme', 'Basic aGY6'],
  ])('refuses %s before it reads the body', async (_name, authorization) => {
    const headers = authorization === undefined ? {} : { authorization };
    const answer = await api.request('POST', '/t/echo', { headers, body: 'not json' });
    expect([answer.status, answer.json.code]).toEqual([401, 'UNAUTHENTICATED']);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  it('keeps merchants and operators apart', async () => {
    const merchant = await api.request('GET', '/api/v1/admin/merchants', { key: api.merchantKey });
    expect([merchant.status, merchant.json.code]).toEqual([403, 'FORBIDDEN']);
    const admin = await api.request('POST', '/t/echo', {
      key: api.config.HOLDFAST_ADMIN_KEY,
      json: { amount: 1 },
    });
    expect([admin.status, admin.json.code]).toEqual([403, 'FORBIDDEN']);
  });

  it('survives a body that ends early and an address that is none', async () => {
    const start = `POST /t/raw HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort`;
    await new Promise<void>((resolve) => {
      const socket = connect(api.port, '127.0.0.1', () => socket.end(start));
      socket.resume().once('close', () => resolve());
    });
    const odd = await rawStatus(api.port, 'GET http://[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(odd).toMatch(/^HTTP\/1.1 40[04]/);
    expect((await api.request('GET', '/healthz')).status).toBe(200);
  });
});

function rawStatus(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.once('close', () => resolve(answer));
    socket.once('error', reject);
  });
}

describe('a route', () => {
  it('is refused at start when unknown fields would pass, or the key has nobody to belong to', () => {
    const spec = { ...common, method: 'post', path: '/t', summary: 'x' } as const;
    const handler = (): Promise<never> => Promise.reject(new Error('never called'));
    expect(() => defineRoute({ ...spec, request: { body: z.object({}) }, handler })).toThrow('strict');
    expect(() => defineRoute({ ...spec, auth: 'none', idempotent: true, request: {}, handler })).toThrow(
      'Idempotency-Key',
    );
  });
});

describe('without PostgreSQL', () => {
  it('answers 503 and when to come back', async () => {
    const api = await startApi(() => sampleRoutes());
    await api.db.end();
    const answer = await api.request('POST', '/t/echo', { key: api.merchantKey, json: { amount: 1 } });
    expect([answer.status, answer.json.code]).toEqual([503, 'TEMPORARILY_UNAVAILABLE']);
    expect(answer.headers.get('retry-after')).toBe('1');
    await api.close();
  });
});
