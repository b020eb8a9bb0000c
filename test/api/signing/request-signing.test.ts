/** Switching signing on and off, changing its secret, over HTTP, by two processes on a real PostgreSQL. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { signed, SIGNING, startSigningRig } from './rig';
import type { Answer, Merchant, Signed, SigningRig } from './rig';

let rig: SigningRig;
let merchant: Merchant;

beforeAll(async () => {
  rig = await startSigningRig();
});
beforeEach(async () => {
  merchant = await rig.newMerchant();
});
afterAll(() => rig.close());

type Wish = Partial<Signed> & { readonly secret?: string; readonly on?: 0 | 1 };

/** Signed when a secret is given. */
function send(method: string, target: string, { on = 0, secret, ...given }: Wish = {}): Promise<Answer> {
  const { key } = merchant;
  const json = (given.body ?? '').length > 0 ? { 'content-type': 'application/json' } : {};
  const headers = { authorization: `Bearer ${key}`, ...json, ...given.headers };
  const timestamp = rig.nowSeconds();
  const sent = { method, target, ...given };
  return rig.processes[on].send(
    secret === undefined
      ? { ...sent, headers }
      : signed({ ...sent, key, secret, timestamp, headers: given.headers ?? {} }),
  );
}

const put = (mode: string, wish: Wish = {}) =>
  send('PUT', SIGNING, { body: JSON.stringify({ mode }), ...wish });
const rotate = (wish: Wish = {}) => send('POST', `${SIGNING}/rotate`, wish);
const echo = (wish: Wish = {}) => send('GET', '/t/echo', wish);
const secretOf = (answer: Answer) => String(answer.json.data['secret']);
const refusal = ({ status, json }: Answer) => [
  status,
  json.code,
  json.details?.['reason'] ?? json.details?.['missing'],
];
const UNSIGNED = [401, 'REQUEST_SIGNATURE_REQUIRED', ['X-Holdfast-Signature']];
const MISMATCH = [401, 'REQUEST_SIGNATURE_INVALID', 'mismatch'];

async function switchedOn(): Promise<string> {
  const secret = secretOf(await rotate());
  expect((await put('required', { secret })).status).toBe(200);
  rig.advanceMs(5_000);
  return secret;
}

const rowOf = async () => {
  const text = 'SELECT * FROM merchants WHERE id = $1';
  return (await rig.processes[0].db.query<Record<string, unknown>>(text, [merchant.id])).rows[0] ?? {};
};

interface AuditRow {
  readonly action: string;
  readonly actor: string;
  readonly before: object | null;
  readonly after: object | null;
}
const audit = async () => {
  const text = `SELECT action, actor, before, after FROM admin_audit WHERE entity = 'merchant' AND entity_id = $1 ORDER BY id`;
  return (await rig.processes[0].db.query<{ action: string } & AuditRow>(text, [merchant.id])).rows;
};

test('off at first, without a secret', async () => {
  expect((await send('GET', SIGNING)).json.data).toEqual({
    mode: 'off',
    has_secret: false,
    previous_secret_until: null,
  });
});

test('a secret is shown once, and is kept sealed, out of logs and audit', async () => {
  const made = await rotate();
  const secret = secretOf(made);
  expect(made.status).toBe(200);
  expect(secret).toMatch(/^hfsk_[0-9a-f]{64}$/);
  expect(made.json.data).toMatchObject({ mode: 'off', has_secret: true, previous_secret_until: null });
  expect((await send('GET', SIGNING)).text).not.toContain(secret);
  expect(JSON.stringify([await rowOf(), await audit(), rig.logLines])).not.toContain(secret);
  expect((await rowOf())['signing_secret_sealed']).toMatch(/^v1\./);
});

describe('switching on', () => {
  test('takes a signature: nobody locks himself out', async () => {
    expect(refusal(await put('required'))).toEqual(UNSIGNED);
    const guessed = await put('required', { secret: 'hfsk_guessed' });
    expect(refusal(guessed)).toEqual([401, 'REQUEST_SIGNATURE_INVALID', 'no_secret']);
    const secret = secretOf(await rotate());
    expect(refusal(await put('required'))).toEqual(UNSIGNED);
    expect(refusal(await put('required', { secret: `${secret}0` }))).toEqual(MISMATCH);
    expect((await send('GET', SIGNING)).json.data).toMatchObject({ mode: 'off' });
    expect((await put('required', { secret })).json.data).toMatchObject({
      mode: 'required',
      has_secret: true,
    });
  });

  test('is in effect within five seconds, in every process', async () => {
    for (const on of [0, 1] as const) expect((await echo({ on })).status).toBe(200);
    const secret = await switchedOn();
    for (const on of [0, 1] as const) {
      expect((await echo({ on })).json.code).toBe('REQUEST_SIGNATURE_REQUIRED');
      expect((await echo({ on, secret })).status).toBe(200);
    }
  });

  test('what is no mode, or more than a mode, is refused', async () => {
    const secret = secretOf(await rotate());
    for (const body of ['{"mode":"on"}', '{}', '{"mode":"off","secret":"mine"}'])
      expect((await send('PUT', SIGNING, { body, secret })).json.code).toBe('INVALID_REQUEST');
  });
});

describe('switching off', () => {
  test('takes a signature', async () => {
    const secret = await switchedOn();
    expect((await put('off')).json.code).toBe('REQUEST_SIGNATURE_REQUIRED');
    expect(refusal(await put('off', { secret: 'hfsk_guessed' }))).toEqual(MISMATCH);
    expect((await put('off', { secret })).json.data).toMatchObject({ mode: 'off', has_secret: true });
    rig.advanceMs(5_000);
    expect((await echo({ on: 1 })).status).toBe(200);
    // The secret is still there to switch it on again.
    expect((await put('required', { secret, on: 1 })).status).toBe(200);
  });

  test('also where a process has not heard yet that signatures are asked for', async () => {
    await echo({ on: 1 });
    const secret = secretOf(await rotate());
    await put('required', { secret });
    expect((await echo({ on: 1 })).status).toBe(200);
    expect(refusal(await put('off', { on: 1 }))).toEqual(UNSIGNED);
    expect(refusal(await rotate({ on: 1 }))).toEqual(UNSIGNED);
    expect((await put('off', { on: 1, secret })).status).toBe(200);
  });

  test('nor does a secret made at the moment at which signatures are asked for help without one', async () => {
    const secret = secretOf(await rotate());
    const asking = await rig.processes[1].db.connect();
    await asking.query('BEGIN');
    await asking.query("UPDATE merchants SET signing = 'required' WHERE id = $1", [merchant.id]);
    const made = rotate();
    await sleep(300);
    await asking.query('COMMIT');
    asking.release();
    expect(refusal(await made)).toEqual(UNSIGNED);
    expect((await echo({ secret })).status).toBe(200);
  });

  test('can be done by an operator without a secret, which is forgotten; again it changes nothing', async () => {
    const secret = await switchedOn();
    const target = `/api/v1/admin/merchants/${merchant.id}/request-signing`;
    const headers = { authorization: `Bearer ${rig.adminKey}` };
    const clear = () => rig.processes[0].send({ method: 'DELETE', target, headers });
    const off = { mode: 'off', has_secret: false, previous_secret_until: null };
    expect([(await clear()).json.data, (await clear()).json.data]).toEqual([off, off]);
    rig.advanceMs(5_000);
    expect((await echo()).status).toBe(200);
    expect(refusal(await echo({ secret }))).toEqual([401, 'REQUEST_SIGNATURE_INVALID', 'no_secret']);
    const stranger = `/api/v1/admin/merchants/${randomUUID()}/request-signing`;
    expect((await rig.processes[0].send({ method: 'DELETE', target: stranger, headers })).status).toBe(404);
    expect((await send('DELETE', target)).status).toBe(403);
  });
});

describe('a new secret', () => {
  test('is good at once, the old one for a day, the one before it no more, in every process', async () => {
    const first = await switchedOn();
    expect((await rotate()).json.code).toBe('REQUEST_SIGNATURE_REQUIRED');
    const rotated = await rotate({ secret: first });
    const second = secretOf(rotated);
    const untilMs = Date.parse(String(rotated.json.data['previous_secret_until']));
    expect(Math.abs(untilMs - Date.now() - 24 * 3_600_000)).toBeLessThan(60_000);
    for (const on of [0, 1] as const)
      for (const secret of [first, second]) expect((await echo({ on, secret })).status).toBe(200);
    const third = secretOf(await rotate({ secret: second }));
    expect(refusal(await echo({ on: 1, secret: first }))).toEqual(MISMATCH);
    for (const secret of [second, third]) expect((await echo({ on: 1, secret })).status).toBe(200);
    const text = `UPDATE merchants SET previous_signing_secret_until = now() - interval '1 second' WHERE id = $1`;
    await rig.processes[0].db.query(text, [merchant.id]);
    expect(refusal(await echo({ secret: second }))).toEqual(MISMATCH);
    expect((await send('GET', SIGNING, { secret: third })).json.data).toMatchObject({
      previous_secret_until: null,
    });
  });

  test('ends the old one at once when that is asked for', async () => {
    const first = await switchedOn();
    const rotated = await rotate({ secret: first, body: '{"overlap_hours":0}' });
    expect(rotated.json.data).toMatchObject({ mode: 'required', previous_secret_until: null });
    expect(refusal(await echo({ on: 1, secret: first }))).toEqual(MISMATCH);
    expect((await echo({ on: 1, secret: secretOf(rotated) })).status).toBe(200);
  });

  test('that is made while signing is off has no old one beside it', async () => {
    const first = secretOf(await rotate());
    const second = secretOf(await rotate());
    expect(refusal(await put('required', { secret: first }))).toEqual(MISMATCH);
    expect((await put('required', { secret: second })).status).toBe(200);
  });

  test('is one secret for a request that is repeated, signed anew', async () => {
    const secret = await switchedOn();
    const headers = { 'idempotency-key': randomUUID() };
    const [one, two] = [await rotate({ secret, headers }), await rotate({ secret, headers, on: 1 })];
    expect([one.status, two.status]).toEqual([200, 200]);
    expect(secretOf(two)).toBe(secretOf(one));
    expect((await echo({ secret: secretOf(one) })).status).toBe(200);
  });

  test.each(['{"overlap_hours":25}', '{"overlap_hours":-1}', '{"overlap_hours":0.5}', '{"hours":1}'])(
    'is not made by %s',
    async (body) => {
      expect((await rotate({ body })).json.code).toBe('INVALID_REQUEST');
      expect((await send('GET', SIGNING)).json.data).toMatchObject({ has_secret: false });
    },
  );
});

test('every change is noted: who, what, and no secret', async () => {
  const secret = await switchedOn();
  await rotate({ secret });
  await put('required', { secret });
  await put('off', { secret });
  expect((await audit()).map(({ action, actor, before, after }) => [action, actor, before, after])).toEqual([
    ['merchant.signing_secret', 'merchant', null, { previous_until: null }],
    ['merchant.signing', 'merchant', { signing: 'off' }, { signing: 'required' }],
    ['merchant.signing_secret', 'merchant', null, { previous_until: expect.any(String) as string }],
    ['merchant.signing', 'merchant', { signing: 'required' }, { signing: 'off' }],
  ]);
  const { db } = rig.processes[0];
  for (const text of ['DELETE FROM admin_audit', 'UPDATE admin_audit SET actor = $$me$$'])
    await expect(db.query(text)).rejects.toThrow('admin_audit is only ever added to');
});
