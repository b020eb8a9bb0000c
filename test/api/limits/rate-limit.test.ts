/** What a merchant, a stranger and an operator meet at the limits, over HTTP, on a real Redis and PostgreSQL. */
import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { defineRoute } from '../../../src/api/route';
import type { Route } from '../../../src/api/route';
import { healthRoutes } from '../../../src/api/routes/health';
import { eventually } from '../../e2e/eventually';
import { startApi } from '../harness';
import type { Answer, ApiHarness } from '../harness';

const BURST = 20;
const CONCURRENCY = 10;
const OWN_LIMITS = { RATE_LIMIT_MULTIPLIER: '1', IP_LIMIT_PER_MINUTE: '1000000' };

let api: ApiHarness;
/** Lets every request at /t/wait and /t/finish go. */
let open: () => void;
let opened: Promise<void>;
const shut = () => void (opened = new Promise((resolve) => (open = resolve)));

function routes(): Route[] {
  const common = { tag: 'Test', auth: 'merchant', errors: [], responses: {}, request: {} } as const;
  const done = { status: 200, data: {} };
  const wait = () => opened.then(() => done);
  const up = () => Promise.resolve();
  return [
    defineRoute({
      ...{ ...common, method: 'get', path: '/t/read', summary: '' },
      request: { query: z.strictObject({}) },
      handler: () => Promise.resolve(done),
    }),
    defineRoute({
      ...{ ...common, method: 'post', path: '/t/create', summary: '', handler: () => Promise.resolve(done) },
    }),
    defineRoute({ ...common, method: 'get', path: '/t/wait', summary: '', handler: wait }),
    defineRoute({
      ...common,
      ...{ method: 'post', path: '/t/finish', summary: '', priority: 'finish', handler: wait },
    }),
    ...healthRoutes({ postgres: up, temporal: up, redis: up }),
  ];
}

async function start(own: Readonly<Record<string, string>> = {}): Promise<void> {
  shut();
  api = await startApi(routes, 15_000, { ...OWN_LIMITS, ...own });
}
afterEach(async () => {
  open();
  await api.close();
});

const read = (key: string | undefined = api.merchantKey) =>
  api.request('GET', '/t/read', key === undefined ? {} : { key });
const many = (count: number, ask: () => Promise<Answer> = read) =>
  Promise.all(Array.from({ length: count }, ask));
const concurrentBecomes = (count: number) =>
  eventually('requests at work', usage, ({ concurrent }) => concurrent.used === count);
const usage = async () => {
  const { limits } = await api.limits.tiers.limitsOf(api.merchant.id);
  return api.limits.limiter.usage(api.merchant.id, limits);
};

it('tells the limits with every answer, and what is left', async () => {
  await start();
  const first = await read();
  expect(Object.fromEntries(first.headers)).toMatchObject({
    'x-ratelimit-limit': '10',
    'x-ratelimit-remaining': expect.stringMatching(/^\d+$/) as string,
    'x-ratelimit-reset': expect.stringMatching(/^\d{10}$/) as string,
    'x-ratelimit-tier': 'starter',
    ratelimit: expect.stringMatching(/^"\w+";r=\d+;t=\d+$/) as string,
    'ratelimit-policy': expect.stringContaining('"hour";q=10000;w=3600') as string,
  });
  const wrong = await api.request('GET', '/t/read?x=1', { key: api.merchantKey });
  expect([wrong.status, wrong.headers.get('x-ratelimit-tier')]).toEqual([400, 'starter']);
});

it('refuses what is too much as the description has it, and counts neither it nor its reason twice', async () => {
  await start();
  const answers = await many(60);
  const refused = answers.filter(({ status }) => status === 429);
  const admitted = answers.filter(({ status }) => status === 200);
  expect(refused.length + admitted.length).toBe(60);
  expect(admitted.length).toBeLessThanOrEqual(BURST + 10);
  expect(refused[0]?.json).toEqual({
    code: 'RATE_LIMIT_EXCEEDED',
    message: expect.stringContaining('Too many requests') as string,
    tier: 'starter',
    details: {
      window: expect.stringMatching(/^(second|concurrent)$/) as string,
      limit: expect.any(Number) as number,
    },
    request_id: expect.any(String) as string,
  });
  expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(refused[0]?.headers.get('x-ratelimit-remaining')).toBe('0');
  expect((await usage()).minute.used).toBe(admitted.length);
});

it('writes down by day what was allowed and what refused it', async () => {
  await start();
  const answers = await many(40);
  const date = new Date().toISOString().slice(0, 10);
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  const { second, concurrent } = await eventually(
    'counters',
    () => api.limits.stats.read(api.merchant.id, date),
    ({ allowed }) => allowed === count(200),
  );
  expect(second + concurrent).toBe(count(429));
  const page = await api.limits.metrics.page();
  expect(page).toContain(`holdfast_limiter_decisions_total{outcome="allowed"} ${count(200)}`);
  expect(page).toContain('holdfast_limiter_fallback 0');
  expect(page).toMatch(/holdfast_http_requests_total{method="GET",route="\/t\/read",status="429"} \d+/);
});

it('lets no more work at once than the tier allows, and gives each place back', async () => {
  await start();
  let answered = 0;
  const waiting = many(30, async () => {
    const answer = await api.request('GET', '/t/wait', { key: api.merchantKey });
    answered += 1;
    return answer;
  });
  await concurrentBecomes(CONCURRENCY);
  // What arrives after a place was given back may have it.
  await eventually('the refusals', () => Promise.resolve(answered), (count) => count >= 30 - CONCURRENCY); // prettier-ignore
  expect((await usage()).concurrent.used).toBe(CONCURRENCY);
  open();
  const statuses = (await waiting).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(CONCURRENCY);
  expect(statuses.filter((status) => status === 429)).toHaveLength(30 - CONCURRENCY);
  await concurrentBecomes(0);
});

it('gives the place back at once when the client goes away', async () => {
  await start();
  const headers = { authorization: `Bearer ${api.merchantKey}` };
  const requests = Array.from({ length: 5 }, () => {
    const request = httpRequest({ port: api.port, path: '/t/wait', headers });
    request.on('error', () => undefined);
    request.end();
    return request;
  });
  await concurrentBecomes(5);
  for (const request of requests) request.destroy();
  await concurrentBecomes(0);
  // Those who go before they are let in hold nothing either.
  for (let n = 0; n < 10; n += 1) {
    const request = httpRequest({ port: api.port, path: '/t/wait', headers });
    request.on('error', () => undefined);
    request.end();
    await sleep(n);
    request.destroy();
  }
  await sleep(300);
  expect((await usage()).concurrent.used).toBe(0);
});

it('limits neither operators nor what is exempt', async () => {
  await start();
  const admin = await many(50, () =>
    api.request('GET', '/api/v1/admin/merchants', { key: api.config.HOLDFAST_ADMIN_KEY }),
  );
  const health = await many(50, () => api.request('GET', '/healthz'));
  expect([...admin, ...health].filter(({ status }) => status !== 200)).toEqual([]);
  expect(admin[0]?.headers.get('x-ratelimit-limit')).toBeNull();
});

it('refuses an address that has sent too much without a valid key, whatever it sends then', async () => {
  await start({ IP_LIMIT_PER_MINUTE: '40' });
  const stranger = `hf_live_${'x'.repeat(40)}`;
  const statuses: number[] = [];
  for (let n = 0; n < 15; n += 1) {
    const answers = [
      await read(stranger),
      await api.request('GET', '/t/read'),
      await api.request('GET', '/nowhere'),
      await api.request('GET', '/api/v1/admin/merchants', { key: 'wrong' }),
    ];
    statuses.push(...answers.map(({ status }) => status));
  }
  expect(statuses.filter((status) => status !== 429)).toHaveLength(40);
  expect(statuses.slice(-20)).toEqual(Array(20).fill(429));
  const refused = await read();
  expect(refused.json).toMatchObject({
    code: 'RATE_LIMIT_EXCEEDED',
    details: { window: 'minute', limit: 40, scope: 'address' },
  });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30);
  expect((await api.request('GET', '/healthz')).status).toBe(200);
  expect(await api.limits.metrics.page()).toMatch(/holdfast_address_refused_total [1-9]/);
});

it('warns at 80 % of the minute, by header and by one event', async () => {
  await start();
  await api.db.query(
    `INSERT INTO merchant_limits (merchant_id, per_second, burst, per_minute, concurrency, updated_by)
     VALUES ($1, 1000, 1000, 20, 1000, 'test')`,
    [api.merchant.id],
  );
  const endpointId = randomUUID();
  await api.db.query(
    `INSERT INTO webhook_endpoints (id, merchant_id, kind, url) VALUES ($1, $2, 'explicit', 'https://shop.example/hooks')`,
    [endpointId, api.merchant.id],
  );
  const answers: Answer[] = [];
  for (let n = 0; n < 25; n += 1) answers.push(await read());
  const warned = answers.map(({ headers }) => headers.has('x-ratelimit-warning'));
  expect(warned.indexOf(true)).toBe(15);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(5);
  const rows = async () =>
    (
      await api.db.query<{ event: string; payload: Record<string, unknown>; payment_no: string }>(
        'SELECT event, payload, payment_no FROM webhook_notifications WHERE endpoint_id = $1',
        [endpointId],
      )
    ).rows;
  await eventually('the event', rows, (found) => found.length > 0);
  await sleep(200);
  const [row, ...others] = await rows();
  expect(others).toEqual([]);
  expect(row).toMatchObject({
    event: 'rate_limit.warning',
    payload: {
      event: 'rate_limit.warning',
      payment_no: row?.payment_no,
      status: 'warning',
      extra: { window: 'minute', limit: 20, used_percent: 80, tier: 'starter', sequence: 1 },
    },
  });
});

it('refuses reads, then creations, and never what is to be finished, when there is too much to do', async () => {
  await start({ RATE_LIMIT_MULTIPLIER: '10', LOAD_IN_FLIGHT: '1' });
  const ask = (method: string, path: string) => () => api.request(method, path, { key: api.merchantKey });
  const statusOf = async (answer: Promise<Answer>) => (await answer).status;
  const becomes = (status: number, asking: () => Promise<Answer>) =>
    eventually(
      'status',
      () => statusOf(asking()),
      (found) => found === status,
    );
  // Four times what is called full, but for the smoothing: reads are refused, creations not yet.
  const some = many(4, ask('GET', '/t/wait'));
  await becomes(503, ask('GET', '/t/read'));
  expect(await statusOf(ask('POST', '/t/create')())).toBe(200);
  const more = many(2, ask('POST', '/t/finish'));
  await becomes(503, ask('POST', '/t/create'));
  const refused = await ask('GET', '/t/read')();
  expect(refused.json.code).toBe('OVERLOADED');
  expect(refused.headers.get('retry-after')).toBe('1');
  const finishing = many(1, ask('POST', '/t/finish'));
  expect(await statusOf(api.request('GET', '/healthz'))).toBe(200);
  const admin = { key: api.config.HOLDFAST_ADMIN_KEY };
  expect(await statusOf(api.request('GET', '/api/v1/admin/merchants', admin))).toBe(200);
  open();
  const finished = [...(await some), ...(await more), ...(await finishing)];
  expect(finished.map(({ status }) => status)).toEqual(Array(7).fill(200));
  await becomes(200, ask('GET', '/t/read'));
});
