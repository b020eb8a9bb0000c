/** A channel that fails, as two processes see it together: out soon, probed as said, back with its first answers. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HealthOutcome } from '../../src/domain/routing/health';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';
import { addAccount, requestOf, startRouter } from './rig';
import type { TestRouter } from './rig';

/** Of 20 a second. */
const PAUSE_MS = 50;
/** A fifth of the real one, so that the test sees several. */
const PROBE_INTERVAL_MS = 1_000;
const LATENCY_MS = 30;

let database: TestDatabase;
let routers: TestRouter[];
let sent: { readonly channel: string; readonly probe: boolean; readonly atMs: number }[];
let number = 0;

beforeEach(async () => {
  database = await createTestDatabase();
  const first = await startRouter(database.config);
  for (const channel of ['stripe', 'paypal']) await addAccount(first.db, channel);
  await first.stop();
  const options = { limits: { probeIntervalMs: PROBE_INTERVAL_MS } };
  routers = [await startRouter(database.config, options), await startRouter(database.config, options)];
  sent = [];
});
afterEach(async () => {
  await Promise.all(routers.map((one) => one.stop()));
  await database.drop();
});

/** One order after the other, in turn by both; the outcome is told to whoever decided. Stripe is the cheaper. */
async function send(count: number, outcomeOf: (channel: string) => HealthOutcome): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const { router } = routers[n % routers.length] ?? routers[0]!;
    const { channel, probe = false } = router.decide(requestOf({ number: `PY${(number += 1)}` }));
    sent.push({ channel, probe, atMs: Date.now() });
    const outcome = outcomeOf(channel);
    router.observe({ channel, currency: 'USD', outcome, latencyMs: LATENCY_MS });
    await sleep(PAUSE_MS);
  }
}

const stripeFails = (channel: string): HealthOutcome => (channel === 'stripe' ? 'fault' : 'success');
const toStripe = () => sent.filter(({ channel }) => channel === 'stripe');
const areOut = () => routers.map(({ router }) => router.isOutOfService('stripe'));

test('out after at most 20 requests over both, probed once in the interval, back after the first answers', async () => {
  await send(10, () => 'success');
  expect(toStripe()).toHaveLength(10);
  sent = [];
  await send(40, stripeFails);
  const failed = toStripe().filter(({ probe }) => !probe);
  expect(failed.length).toBeLessThanOrEqual(20);
  expect(failed.length).toBeGreaterThanOrEqual(10);
  expect(areOut()).toEqual([true, true]);
  sent = [];
  const startedAtMs = Date.now();
  await send(80, stripeFails);
  const intervals = (Date.now() - startedAtMs) / PROBE_INTERVAL_MS;
  expect(toStripe().every(({ probe }) => probe)).toBe(true);
  // By both together, and not by each: who tries it says so.
  expect(toStripe().length).toBeGreaterThanOrEqual(Math.floor(intervals - 1));
  expect(toStripe().length).toBeLessThanOrEqual(Math.ceil(intervals));
  sent = [];
  await send(80, () => 'success');
  expect(areOut()).toEqual([false, false]);
  const probes = toStripe().filter(({ probe }) => probe);
  // Three answers in a row bring it back; each process may have one more under way.
  expect(probes.length).toBeLessThanOrEqual(3 + routers.length);
  expect(toStripe().length).toBeGreaterThan(20);
});

test('declines do not push it out, and are no faults in the scores', async () => {
  await send(60, () => 'decline');
  expect(areOut()).toEqual([false, false]);
  expect(toStripe()).toHaveLength(60);
});

test('a quote probes nothing and counts nothing', async () => {
  await send(30, stripeFails);
  expect(areOut()).toEqual([true, true]);
  await sleep(PROBE_INTERVAL_MS);
  const [{ router } = routers[0]!] = routers;
  for (let n = 0; n < 300; n += 1) {
    const { channel, candidates } = router.quote(requestOf());
    expect(channel).toBe('paypal');
    expect(candidates.find((one) => one.channel === 'stripe')?.excluded?.code).toBe('out_of_service');
  }
  expect(router.decide(requestOf())).toMatchObject({ channel: 'stripe', probe: true });
  expect(router.decide(requestOf()).channel).toBe('paypal');
});

describe('an account of a merchant’s own', () => {
  const OWNER = '00000000-0000-4000-8000-000000000002';
  const OWN = `
    WITH owner AS (INSERT INTO merchants (id, account_id, name, world, webhook_secret_sealed)
      VALUES ($1, gen_random_uuid(), 'Owner', 'test', 'sealed') RETURNING id)
    INSERT INTO channel_accounts (id, merchant_id, world, channel, name, credentials_sealed, contract)
    SELECT gen_random_uuid(), id, 'test', 'stripe', 'Own', 'sealed', '{}' FROM owner RETURNING id`;
  let accountId: string;

  beforeEach(async () => {
    const [{ db, router } = routers[0]!] = routers;
    const [row] = (await db.query<{ id: string }>(OWN, [OWNER])).rows;
    accountId = row?.id ?? '';
    await router.changed();
  });

  test('takes the channel out for nobody, and is in no score', async () => {
    const [{ router } = routers[0]!] = routers;
    const seen = { channel: 'stripe', currency: 'USD', latencyMs: LATENCY_MS } as const;
    for (let n = 0; n < 50; n += 1) router.observe({ ...seen, accountId, outcome: 'fault' });
    await sleep(500);
    expect(areOut()).toEqual([false, false]);
    const shared = router.accountFor({ ...requestOf(), channel: 'stripe' });
    expect(shared?.merchantId).toBeNull();
    for (let n = 0; n < 20; n += 1)
      router.observe({ ...seen, accountId: shared?.id ?? '', outcome: 'fault' });
    await sleep(500);
    expect(areOut()).toEqual([true, true]);
  });

  test('does not try whether the channel is back: its answer would not count', async () => {
    await send(30, stripeFails);
    await sleep(PROBE_INTERVAL_MS);
    const [{ router } = routers[0]!] = routers;
    expect(router.decide(requestOf({ merchantId: OWNER }))).toMatchObject({ channel: 'paypal' });
    expect(router.decide(requestOf())).toMatchObject({ channel: 'stripe', probe: true });
  });

  test('is asked again when nobody has tried the channel for as long as anything is remembered of it', async () => {
    const forgetful = await startRouter(database.config, { limits: { windowMs: 3_000 } });
    try {
      await send(30, stripeFails);
      await sleep(500);
      const own = requestOf({ merchantId: OWNER });
      expect(forgetful.router.decide(own)).toMatchObject({ channel: 'paypal' });
      await sleep(4_000);
      expect(forgetful.router.status().outOfService).toEqual(['stripe']);
      expect(forgetful.router.quote(own)).toMatchObject({ channel: 'stripe' });
      const decision = forgetful.router.decide(own);
      expect(decision).toMatchObject({ channel: 'stripe' });
      expect(decision.probe).not.toBe(true);
    } finally {
      await forgetful.stop();
    }
  });
});

test('a process that starts during the outage knows of it; so does one that only reads', async () => {
  await send(30, stripeFails);
  const late = await startRouter(database.config);
  try {
    await sleep(500);
    expect(late.router.status().outOfService).toEqual(['stripe']);
  } finally {
    await late.stop();
  }
});
