import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { canonicalHash } from '../../src/api/idempotency';
import type { Ownership } from '../../src/api/idempotency';
import { dispositionOf } from '../../src/api/idempotency-answer';
import { keyHashOf } from '../../src/api/idempotency-scope';
import { defineRoute } from '../../src/api/route';
import type { Route, RouteAnswer } from '../../src/api/route';
import { fail } from '../../src/domain/errors';
import * as store from '../../src/stores/idempotency';
import { withTransaction } from '../../src/stores/postgres';
import { startApi } from './harness';
import type { Answer, ApiHarness, Parts } from './harness';

type Work = (own: Ownership, parts: Parts, name: string) => Promise<RouteAnswer>;

const ROUTE = '/t/work';
const scopeOf = (callerId: string, key: string): store.IdempotencyScope => ({
  callerId,
  route: `post ${ROUTE}`,
  keyHash: keyHashOf(key) ?? Buffer.alloc(0),
});

describe('Idempotency-Key', () => {
  let api: ApiHarness;
  let work: Work;
  let runs: Ownership[];

  function workRoute(parts: Parts): Route {
    return defineRoute({
      method: 'post',
      path: ROUTE,
      summary: 'Work',
      tag: 'Test',
      auth: 'merchant',
      idempotent: true,
      request: { body: z.strictObject({ name: z.string(), more: z.int().optional() }) },
      responses: {},
      errors: [],
      handler: ({ idem, body }) =>
        idem.run(`PA-${randomUUID()}`, (own) => {
          runs.push(own);
          return work(own, parts, body.name);
        }),
    });
  }

  /** Inserts the record in a transaction that writes something of its own, as a create does. */
  const inTransaction: Work = async (own, { db }, name) => {
    await withTransaction(db, async (tx) => {
      await own.insertWithin(tx);
      await tx.query('INSERT INTO executions (record_id, name) VALUES ($1, $2)', [own.recordId, name]);
    });
    return { status: 201, data: { record: own.recordId, number: own.number ?? null, z: 1, a: [1.5, 'é'] } };
  };

  const post = (key: string | undefined, json: unknown = { name: 'x' }): Promise<Answer> =>
    api.request('POST', ROUTE, {
      key: api.merchantKey,
      json,
      ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
    });
  const executions = async (): Promise<string[]> => {
    const result = await api.db.query<{ record_id: string }>('SELECT record_id FROM executions');
    return result.rows.map((row) => row.record_id);
  };
  const find = (key: string) => store.findRecord(api.db, scopeOf(api.merchant.id, key));

  beforeAll(async () => {
    api = await startApi((parts) => [workRoute(parts)], 7_500);
    await api.db.query('CREATE TABLE executions (record_id UUID NOT NULL, name TEXT NOT NULL)');
  });
  afterAll(() => api.close());
  beforeEach(async () => {
    runs = [];
    work = inTransaction;
    await api.db.query('TRUNCATE executions');
  });

  it('replays status and bytes, whatever the order of the fields', async () => {
    const first = await post('k1', { name: 'x', more: 1 });
    const again = await post('k1', { more: 1, name: 'x' });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.text).toBe(first.text);
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(runs).toHaveLength(1);
    expect((await find('k1'))?.answer?.sealed).not.toContain('number');
  });

  it('refuses another body with the same key', async () => {
    await post('k2');
    const other = await post('k2', { name: 'y' });
    expect([other.status, other.json.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  });

  it('works every time without a key', async () => {
    const [a, b] = [await post(undefined), await post(undefined)];
    expect(a.json.data.record).not.toBe(b.json.data.record);
    expect(runs).toHaveLength(2);
  });

  it.each([['x'.repeat(256)], ['\u00e9'], ['']])('refuses the key %j', async (key) => {
    const answer = await post(key);
    expect([answer.status, answer.json.details?.issues?.[0]?.path]).toEqual([400, 'Idempotency-Key']);
    expect(runs).toHaveLength(0);
  });

  it('executes 50 concurrent requests once and answers them all alike', async () => {
    // Long enough that many have found no record before the first one inserts its own.
    work = async (own, parts, name) => {
      await sleep(300);
      return inTransaction(own, parts, name);
    };
    const answers = await Promise.all(Array.from({ length: 50 }, () => post('fifty')));
    expect(new Set(answers.map((answer) => `${answer.status} ${answer.text}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(201);
    expect(await executions()).toEqual([answers[0]?.json.data.record]);
    expect(runs.length).toBeGreaterThan(5);
    expect(answers.filter((answer) => answer.headers.get('idempotent-replayed') === null)).toHaveLength(1);
  });

  it('lets a waiter take over the command of an owner that died, with its id and number', async () => {
    const dead = { recordId: randomUUID(), leaseToken: randomUUID(), number: 'PA-of-the-dead' };
    const bodyHash = canonicalHash({ params: {}, body: { name: 'x' } });
    await store.insertRecord(api.db, { ...scopeOf(api.merchant.id, 'dead'), ...dead, bodyHash });
    const startedAt = Date.now();
    const answer = await post('dead');
    const tookMs = Date.now() - startedAt;
    expect(answer.json.data).toMatchObject({ record: dead.recordId, number: 'PA-of-the-dead' });
    expect(runs.map((own) => own.takenOver)).toEqual([true]);
    expect(tookMs).toBeGreaterThan(4_000);
    expect(tookMs).toBeLessThan(7_000);
    expect((await post('dead')).text).toBe(answer.text);
  });

  it('keeps the lease while the owner works, and tells the others when they have waited long enough', async () => {
    work = async (own, parts, name) => {
      const answer = await inTransaction(own, parts, name);
      await sleep(9_000);
      return answer;
    };
    const first = post('slow');
    await sleep(300);
    const waiting = await post('slow');
    expect([waiting.status, waiting.json.code]).toEqual([409, 'IDEMPOTENCY_IN_PROGRESS']);
    expect((await first).status).toBe(201);
    expect(runs).toHaveLength(1);
  }, 30_000);

  it.each([
    ['202', (): Promise<RouteAnswer> => Promise.resolve({ status: 202, data: {} }), 202],
    ['503', (): Promise<RouteAnswer> => Promise.reject(fail('TEMPORARILY_UNAVAILABLE')), 503],
    ['an unexpected error', (): Promise<RouteAnswer> => Promise.reject(new Error('x')), 500],
  ])('continues the same command after %s', async (name, end, status) => {
    work = async (own) => {
      await own.insert();
      return end();
    };
    expect((await post(name)).status).toBe(status);
    work = inTransaction;
    const repeat = await post(name);
    expect(repeat.status).toBe(201);
    expect(runs.map((own) => own.takenOver)).toEqual([false, true]);
    expect(runs[1]).toMatchObject({ recordId: runs[0]?.recordId, number: runs[0]?.number });
  });

  it('stores what the channel declined and forgets what may pass next time', async () => {
    work = async (own) => {
      await own.insert();
      throw fail('CHANNEL_DECLINED', { decline_code: 'card_declined' });
    };
    const first = await post('declined');
    const again = await post('declined');
    expect([first.status, again.status, runs.length]).toEqual([402, 402, 1]);
    expect(again.json).toEqual({ ...first.json, request_id: again.json.request_id });
    expect(again.headers.get('idempotent-replayed')).toBe('true');

    work = async (own) => {
      await own.insert();
      throw fail('PRE_AUTH_BUSY');
    };
    expect((await post('busy')).status).toBe(409);
    expect(await find('busy')).toBeUndefined();
  });

  it('keeps the record of what an earlier owner began, whatever refuses it now', async () => {
    work = async (own) => {
      await own.insert();
      return { status: 202, data: {} };
    };
    expect((await post('begun')).status).toBe(202);
    work = () => Promise.reject(fail('PRE_AUTH_BUSY'));
    for (let i = 0; i < 2; i += 1) expect((await post('begun')).status).toBe(409);
    work = inTransaction;
    expect((await post('begun')).status).toBe(201);
    expect(new Set(runs.map((own) => own.recordId)).size).toBe(1);
    expect(runs.map((own) => own.takenOver)).toEqual([false, true, true, true]);
  });

  it('stores a success whose work inserted no record, or rolled it back', async () => {
    work = (own) => Promise.resolve({ status: 200, data: { record: own.recordId } });
    expect((await post('late')).text).toBe((await post('late')).text);
    work = async (own, { db }) => {
      const rolledBack = withTransaction(db, async (tx) => {
        await own.insertWithin(tx);
        throw new Error('rolled back');
      });
      await rolledBack.catch(() => undefined);
      return { status: 200, data: { record: own.recordId } };
    };
    expect((await post('rolled back')).text).toBe((await post('rolled back')).text);
    expect(runs).toHaveLength(2);
  });

  it("takes the admin's keys, and shows a repeat again what is shown only once", async () => {
    const admin = (path: string, json: object, key: string): Promise<Answer> =>
      api.request('POST', `/api/v1/admin/${path}`, {
        ...{ key: api.config.HOLDFAST_ADMIN_KEY, json },
        headers: { 'idempotency-key': key },
      });
    const first = await admin('merchants', { name: 'Once' }, 'a1');
    const repeats = await Promise.all([1, 2, 3].map(() => admin('merchants', { name: 'Once' }, 'a1')));
    for (const { status, text } of repeats) expect([status, text]).toEqual([201, first.text]);
    expect(repeats[0]?.headers.get('idempotent-replayed')).toBe('true');
    expect((await admin('merchants', { name: 'Twice' }, 'a1')).json.code).toBe('IDEMPOTENCY_KEY_REUSED');

    const ofKeys = `merchants/${api.merchant.id}/api-keys`;
    const [one, two] = await Promise.all([1, 2].map(() => admin(ofKeys, { name: 'spare' }, 'a1')));
    expect([one?.status, two?.text]).toEqual([201, one?.text]);
    const made = await api.db.query("SELECT 1 FROM api_keys WHERE name = 'spare'");
    expect(made.rowCount).toBe(1);
    const secret = String(one?.json.data['key']);
    const kept = await api.db.query<{ response_sealed: string }>(
      'SELECT response_sealed FROM idempotency_records WHERE merchant_id = $1',
      [store.ADMIN_CALLER],
    );
    expect(kept.rowCount).toBe(2);
    for (const { response_sealed: sealed } of kept.rows) expect(sealed).not.toContain(secret);

    const nobody = `merchants/${randomUUID()}/api-keys`;
    expect((await admin(nobody, { name: 'spare' }, 'a2')).status).toBe(404);
    expect(await find('a2')).toBeUndefined();
  });

  it('forgets a key after a day', async () => {
    const first = await post('old');
    const age = `UPDATE idempotency_records SET created_at = now() - interval '24 hours 1 second' WHERE id = $1`;
    await api.db.query(age, [first.json.data.record]);
    const second = await post('old', { name: 'another body' });
    expect(second.status).toBe(201);
    expect(second.json.data.record).not.toBe(first.json.data.record);
    await api.db.query(age, [second.json.data.record]);
    expect(await store.deleteExpiredRecords(api.db, 10)).toBe(1);
    expect(await store.deleteExpiredRecords(api.db, 10)).toBe(0);
  });
});

describe('dispositionOf', () => {
  it.each([
    [200, 'store', 'store'],
    [201, 'store', 'store'],
    [202, 'release', 'release'],
    [400, 'discard', 'release'],
    [402, 'store', 'store'],
    [404, 'discard', 'release'],
    [409, 'discard', 'release'],
    [422, 'discard', 'release'],
    [429, 'discard', 'release'],
    [500, 'release', 'release'],
    [503, 'release', 'release'],
  ])('%d -> %s, taken over -> %s', (status, own, takenOver) => {
    expect([dispositionOf(status, false), dispositionOf(status, true)]).toEqual([own, takenOver]);
  });
});

describe('canonicalHash', () => {
  it('is blind to the order of fields and to nothing else', () => {
    const hex = (value: unknown): string => canonicalHash(value).toString('hex');
    expect(hex({ a: 1, b: { c: [1, 2], d: null } })).toBe(hex({ b: { d: null, c: [1, 2] }, a: 1 }));
    const values = [{ a: 1 }, { a: '1' }, { a: [1] }, { a: null }, {}, [], { a: { b: 1 } }, { 'a":1,"b': 1 }];
    expect(new Set(values.map(hex)).size).toBe(values.length);
  });
});
