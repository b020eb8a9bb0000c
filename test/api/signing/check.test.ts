/** What is taken of signed requests and what is refused, over HTTP, by two processes on a real PostgreSQL. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { createSignatureCheck } from '../../../src/api/signing/check';
import type { SigningCaller } from '../../../src/api/signing/check';
import { createSecretBox } from '../../../src/stores/secret-box';
import { deleteExpiredNonces, takeNonce } from '../../../src/stores/request-nonces';
import { signed, SIGNING, startSigningRig } from './rig';
import type { Answer, Merchant, Sent, Signed, SigningRig } from './rig';

let rig: SigningRig;
let merchant: Merchant;
let secret: string;

beforeAll(async () => {
  rig = await startSigningRig();
  merchant = await rig.newMerchant();
  secret = await switchOn(merchant);
});
afterAll(() => rig.close());

/** Makes a secret and has signatures asked for. */
async function switchOn({ key }: Merchant): Promise<string> {
  const [process] = rig.processes;
  const headers = { authorization: `Bearer ${key}` };
  const made = await process.send({ method: 'POST', target: `${SIGNING}/rotate`, headers });
  const own = String(made.json.data['secret']);
  const body = '{"mode":"required"}';
  const wish = { method: 'PUT', target: SIGNING, body, key, secret: own, timestamp: rig.nowSeconds() };
  expect((await process.send(signed(wish))).json).toMatchObject({ data: { mode: 'required' } });
  // Both processes have looked the key up again.
  rig.advanceMs(5_000);
  return own;
}

const of = (given: Partial<Signed>): Sent =>
  signed({
    ...{ method: 'POST', target: '/t/echo?a=1&b=2', body: given.method === 'GET' ? '' : '{"amount":1000}' },
    ...{ key: merchant.key, secret, timestamp: rig.nowSeconds() },
    ...given,
  });
const send = (sent: Sent, n: 0 | 1 = 0): Promise<Answer> => rig.processes[n].send(sent);
const refusalOf = ({ status, json }: Answer) => [status, json.code, json.details?.['reason']];
const invalid = (reason: string) => [401, 'REQUEST_SIGNATURE_INVALID', reason];

describe('a good signature', () => {
  test.each([
    ['of a body', { body: '{"amount":1000}' }],
    ['of a body in another form of writing', { body: ' { "amount" : 1e3 }\n' }],
    ['of a body beyond ASCII', { body: '{"text":"预授权 €"}' }],
    ['without a body', { body: '' }],
    ['of a question', { method: 'GET' }],
    ['of a query in no order, encoded', { method: 'GET', target: '/t/echo?b=2&a=%E9%A2%84&a=+' }],
    ['of an address that could be written otherwise', { method: 'GET', target: '/t/echo/?' }],
    ['of a deletion', { method: 'DELETE', body: '' }],
    ['of a body that nobody takes', { target: '/t/bare', body: 'any bytes' }],
    ['with capital digits', {}],
  ])('%s is taken', async (name, given) => {
    const sent = of(given);
    const capitals = { 'x-holdfast-signature': `v1=${sent.headers?.['x-holdfast-signature']?.slice(3).toUpperCase()}` }; // prettier-ignore
    const headers = { ...sent.headers, ...(name === 'with capital digits' && capitals) };
    expect((await send({ ...sent, headers })).status).toBe(200);
  });

  test('does not help a bad request', async () => {
    expect((await send(of({ body: '{"amount":"much"}' }))).status).toBe(400);
    expect((await send(of({ body: '{' }))).json.code).toBe('INVALID_JSON');
  });
});

test.each(['X-Holdfast-Timestamp', 'X-Holdfast-Nonce', 'X-Holdfast-Signature'])(
  'without %s a request is refused',
  async (name) => {
    const sent = of({});
    const headers = Object.entries(sent.headers ?? {}).filter(([other]) => other !== name.toLowerCase());
    const answer = await send({ ...sent, headers: Object.fromEntries(headers) });
    expect([answer.status, answer.json.code]).toEqual([401, 'REQUEST_SIGNATURE_REQUIRED']);
    expect(answer.json.details).toEqual({ missing: [name] });
  },
);

test('with an API key alone nothing is taken', async () => {
  const headers = { authorization: `Bearer ${merchant.key}` };
  const answer = await send({ method: 'GET', target: '/t/echo', headers });
  expect([answer.status, answer.json.code]).toEqual([401, 'REQUEST_SIGNATURE_REQUIRED']);
  expect(answer.json.details?.['missing']).toHaveLength(3);
});

/** What arrives is not what was signed. */
const CHANGED: [string, (sent: Sent) => Sent][] = [
  ['another method', (sent) => ({ ...sent, method: 'DELETE' })],
  ['another path', (sent) => ({ ...sent, target: '/t/bare?a=1&b=2' })],
  ['another value in the query', (sent) => ({ ...sent, target: '/t/echo?a=1&b=3' })],
  ['another order of the query', (sent) => ({ ...sent, target: '/t/echo?b=2&a=1' })],
  ['the query in another encoding', (sent) => ({ ...sent, target: '/t/echo?a=%31&b=2' })],
  ['no query', (sent) => ({ ...sent, target: '/t/echo' })],
  ['one byte of the body', (sent) => ({ ...sent, body: '{"amount":1001}' })],
  ['one byte more', (sent) => ({ ...sent, body: '{"amount":1000} ' })],
  ['the same value in other bytes', (sent) => ({ ...sent, body: '{"amount":1e3}' })],
  ['no body', ({ body: _body, ...sent }) => sent],
  ['another second', (sent) => header(sent, 'timestamp', String(rig.nowSeconds() - 1))],
  ['another nonce', (sent) => header(sent, 'nonce', randomUUID())],
  ['one digit of the signature', (sent) => header(sent, 'signature', flipped(sent))],
];

const header = (sent: Sent, name: string, value: string): Sent => ({
  ...{ ...sent, headers: { ...sent.headers, [`x-holdfast-${name}`]: value } },
});
const flipped = ({ headers }: Sent) =>
  String(headers?.['x-holdfast-signature']).replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));

test.each(CHANGED)('a signature is not good for %s', async (_name, change) => {
  expect(refusalOf(await send(change(of({}))))).toEqual(invalid('mismatch'));
});

test("another secret's signature is refused, also that of another merchant", async () => {
  const other = await rig.newMerchant();
  const theirs = await switchOn(other);
  expect(refusalOf(await send(of({ secret: theirs })))).toEqual(invalid('mismatch'));
  expect(refusalOf(await send(of({ key: other.key })))).toEqual(invalid('mismatch'));
  expect((await send(of({ key: other.key, secret: theirs }))).status).toBe(200);
});

test.each([
  ['timestamp', 'now', 'timestamp_format'],
  ['timestamp', '-1', 'timestamp_format'],
  ['timestamp', '1767225600.5', 'timestamp_format'],
  ['timestamp', '1767225600000', 'timestamp_format'],
  ['timestamp', '', 'timestamp_format'],
  ['nonce', 'fifteen-letters', 'nonce_format'],
  ['nonce', 'n'.repeat(65), 'nonce_format'],
  ['nonce', 'with.a.dot.and.more', 'nonce_format'],
  ['signature', 'a'.repeat(64), 'signature_format'],
  ['signature', `v1=${'a'.repeat(63)}`, 'signature_format'],
  ['signature', `v1=${'g'.repeat(64)}`, 'signature_format'],
  ['signature', `v2=${'a'.repeat(64)}`, 'signature_format'],
  ['signature', `v1=${'a'.repeat(64)}, v1=${'b'.repeat(64)}`, 'signature_format'],
])('%s "%s" is refused: %s', async (name, value, reason) => {
  expect(refusalOf(await send(header(of({}), name, value)))).toEqual(invalid(reason));
});

describe('time', () => {
  test.each([-302, 302, -86_400])('a signature of %d seconds from now is refused', async (seconds) => {
    const answer = await send(of({ timestamp: rig.nowSeconds() + seconds }));
    expect(refusalOf(answer)).toEqual(invalid('timestamp_outside_window'));
    expect(Math.abs(Number(answer.json.details?.['now']) - rig.nowSeconds())).toBeLessThanOrEqual(1);
  });

  test.each([-298, 298])('a signature of %d seconds from now is taken', async (seconds) => {
    expect((await send(of({ timestamp: rig.nowSeconds() + seconds }))).status).toBe(200);
  });
});

describe('a nonce', () => {
  test('is taken once, by whichever process', async () => {
    const sent = of({});
    expect((await send(sent, 0)).status).toBe(200);
    expect(refusalOf(await send(sent, 0))).toEqual(invalid('nonce_used'));
    expect(refusalOf(await send(sent, 1))).toEqual(invalid('nonce_used'));
    const nonce = sent.headers?.['x-holdfast-nonce'] ?? '';
    expect(refusalOf(await send(of({ nonce, body: '{"amount":2}' }), 1))).toEqual(invalid('nonce_used'));
  });

  test.each([1, 2, 3])('of forty copies at once over two processes one is taken (%d)', async () => {
    const sent = of({});
    const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => send(sent, n % 2 === 0 ? 0 : 1)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const refused = answers.filter(({ status }) => status !== 200).map(refusalOf);
    expect(refused).toEqual(Array(39).fill(invalid('nonce_used')));
  });

  test('is not used up by somebody without the secret', async () => {
    const nonce = randomUUID();
    expect(refusalOf(await send(of({ nonce, secret: 'guessed' })))).toEqual(invalid('mismatch'));
    expect((await send(of({ nonce }))).status).toBe(200);
  });

  test('is kept for longer than its timestamp is taken, then deleted in batches, by two at once', async () => {
    const [{ db }, other] = rig.processes;
    const nowSeconds = Math.floor(Date.now() / 1000);
    await db.query('DELETE FROM request_nonces');
    const sent = of({ timestamp: rig.nowSeconds() + 298 });
    await send(sent);
    const left = async () => {
      const { rows } = await db.query<{ seconds: number }>(
        'SELECT extract(epoch FROM expires_at)::int AS seconds FROM request_nonces',
        [],
      );
      return rows.map(({ seconds }) => seconds);
    };
    expect((await left())[0]).toBeGreaterThanOrEqual(rig.nowSeconds() + 298 + 300);
    for (let n = 0; n < 25; n += 1) await takeNonce(db, merchant.id, `old-${n}-and-more`, nowSeconds - 1 - n);
    expect(await deleteExpiredNonces(db, 10)).toBe(10);
    const both = await Promise.all([deleteExpiredNonces(db, 10), deleteExpiredNonces(other.db, 10)]);
    expect(both[0] + both[1] + (await deleteExpiredNonces(db, 10))).toBe(15);
    expect(await left()).toHaveLength(1);
    expect(refusalOf(await send(sent))).toEqual(invalid('nonce_used'));
  });
});

describe('whoever does not sign', () => {
  const received = { method: 'GET', originalUrl: '/t/echo', headers: {} };
  const callers: SigningCaller[] = [
    { kind: 'merchant', merchantId: randomUUID(), signing: 'off' },
    { kind: 'admin' },
    { kind: 'none' },
  ];

  test.each(callers)('pays nothing: no question to the database (%p)', async (caller) => {
    const db = { query: () => Promise.reject(new Error('a question to the database')) };
    const box = createSecretBox('a:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=');
    const check = createSignatureCheck({ db, box, log: pino({ level: 'silent' }) });
    await check(caller, received, Buffer.alloc(0));
    if (caller.kind !== 'merchant')
      await check(caller, { ...received, headers: { 'x-holdfast-signature': 'any' } }, Buffer.alloc(0));
  });

  test('may try it: a signature that is sent is checked, and an unsigned request is still taken', async () => {
    const { key } = await rig.newMerchant();
    const headers = { authorization: `Bearer ${key}` };
    expect((await send({ method: 'GET', target: '/t/echo', headers })).status).toBe(200);
    expect(refusalOf(await send(of({ key })))).toEqual(invalid('no_secret'));
    const made = await send({ method: 'POST', target: `${SIGNING}/rotate`, headers });
    const own = String(made.json.data['secret']);
    expect((await send(of({ key, secret: own }))).status).toBe(200);
    expect(refusalOf(await send(of({ key, secret: `${own}0` })))).toEqual(invalid('mismatch'));
    expect((await send({ method: 'GET', target: '/t/echo', headers })).status).toBe(200);
  });
});
