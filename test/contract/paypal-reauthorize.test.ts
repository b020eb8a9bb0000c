/**
 * Holds at PayPal that are captured after the three days in which it honors them: renewed first, once, whatever answer is
 * lost on the way, and never captured twice.
 */
import { ChannelFault } from '../../src/domain/channel';
import type { HoldAnswer, HoldSnapshot } from '../../src/domain/channel';
import { identities, startPayPalBench } from './paypal-harness';
import type { PayPalBench } from './paypal-harness';

const AMOUNT = 50_000;
const DAY_MS = 24 * 3_600_000;
const exchange = { timeoutMs: 1_000 };
let bench: PayPalBench;

beforeAll(async () => {
  bench = await startPayPalBench();
});
beforeEach(() => bench.control.post('reset'));
afterAll(() => bench.stop());

const setDay = (day: number) => bench.control.post('config', { clockOffsetMs: day * DAY_MS });

function snapshotOf(answer: HoldAnswer): HoldSnapshot {
  if (answer.kind === 'declined') throw new Error(`declined: ${answer.code} ${answer.providerCode}`);
  return answer.snapshot;
}

async function held() {
  const call = identities('pre-auth');
  const request = { preAuthNo: 'PA1', orderNo: 'O1', amount: AMOUNT, currency: 'USD' };
  const { answer } = await bench.adapter.createPreAuth(request, call('create/1'), exchange);
  const id = snapshotOf(answer).channelPreAuthNo;
  await bench.control.post(`orders/${id}/approve`);
  snapshotOf(await bench.adapter.completePreAuth(id, call('authorize/1'), exchange));
  return {
    id,
    query: () => bench.adapter.queryPreAuth(id, exchange),
    cancel: () =>
      bench.adapter.cancelPreAuth({ channelPreAuthNo: id, currency: 'USD' }, call('cancel/1'), exchange),
    capture: (amount: number, n = 1, final = true) =>
      bench.adapter.capturePreAuth(
        { channelPreAuthNo: id, amount, currency: 'USD', final },
        call(`capture/${n}`),
        exchange,
      ),
  };
}

async function caught(work: Promise<unknown>): Promise<ChannelFault> {
  const error: unknown = await work.then(
    (value) => new Error(`no fault: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ChannelFault)) throw error;
  return error;
}

/** What PayPal did, in order; a call that was answered again is not in it. */
async function done(): Promise<string[]> {
  const { calls } = await bench.control.books();
  return calls
    .filter(({ operation, executed }) => executed && /^(reauthorize|capture_auth|void_)/.test(operation))
    .map(({ operation }) => operation);
}

const asked = async (name: string) =>
  (await bench.control.books()).calls.filter(({ operation }) => operation === name).length;
const totals = async () => (await bench.control.books()).totals['USD'];

const TAKEN = { status: 'succeeded', amountCaptured: AMOUNT, amountCapturable: 0 };

test('within three days nothing is renewed', async () => {
  const hold = await held();
  await setDay(2.9);
  expect(snapshotOf(await hold.capture(AMOUNT))).toMatchObject(TAKEN);
  expect(await asked('reauthorize')).toBe(0);
});

test('on day 5 the hold is renewed and the renewal is captured; the number of the hold and its end stay', async () => {
  const hold = await held();
  const before = await hold.query();
  await setDay(5);
  const first = snapshotOf(await hold.capture(AMOUNT));
  expect(first).toMatchObject({ ...TAKEN, channelPreAuthNo: hold.id, captureBefore: before?.captureBefore });
  expect(await hold.query()).toEqual(first);
  expect(snapshotOf(await hold.capture(AMOUNT))).toEqual(first);
  expect(await done()).toEqual(['reauthorize', 'capture_authorization']);
  expect(await totals()).toMatchObject({ captured: AMOUNT, held: 0 });
});

test('a part of it: all that was left is renewed, the part is taken, the rest released', async () => {
  const hold = await held();
  await setDay(5);
  expect(snapshotOf(await hold.capture(32_000))).toMatchObject({
    status: 'succeeded',
    amountCaptured: 32_000,
  });
  expect(await totals()).toMatchObject({ captured: 32_000, held: 0 });
});

test('what is left of a hold that was captured in part before is renewed and taken', async () => {
  const hold = await held();
  await bench.control.post('config', { multipleCaptures: ['*'] });
  await hold.capture(10_000, 1, false);
  await setDay(5);
  expect(snapshotOf(await hold.capture(15_000, 2, false))).toMatchObject({
    status: 'requires_capture',
    amountCaptured: 25_000,
    amountCapturable: 25_000,
  });
  expect(snapshotOf(await hold.capture(25_000, 3))).toMatchObject(TAKEN);
  expect(await asked('reauthorize')).toBe(1);
});

test.each(['error_after', 'timeout_after', 'reset_after', 'error_before', 'reset_before'])(
  'the answer to the renewal is lost (%s): nothing is captured before it is asked again, then once',
  async (fault) => {
    const hold = await held();
    await setDay(5);
    await bench.control.fault('reauthorize', fault);
    expect(await caught(hold.capture(AMOUNT))).toMatchObject({ execution: 'maybe_executed' });
    expect(await asked('capture_authorization')).toBe(0);
    expect(await hold.query()).toMatchObject({ status: 'requires_capture', amountCapturable: AMOUNT });
    expect(snapshotOf(await hold.capture(AMOUNT))).toMatchObject(TAKEN);
    expect(await done()).toEqual(['reauthorize', 'capture_authorization']);
    expect(await totals()).toMatchObject({ captured: AMOUNT, held: 0 });
  },
);

test.each(['error_after', 'timeout_after', 'reset_after', 'error_before', 'reset_before'])(
  'the answer to the capture after it is lost (%s): renewed once, taken once',
  async (fault) => {
    const hold = await held();
    await setDay(5);
    await bench.control.fault('capture_authorization', fault);
    expect(await caught(hold.capture(AMOUNT))).toMatchObject({ execution: 'maybe_executed' });
    expect(snapshotOf(await hold.capture(AMOUNT))).toMatchObject(TAKEN);
    expect(await done()).toEqual(['reauthorize', 'capture_authorization']);
    expect(await asked('reauthorize')).toBe(1);
    expect(await totals()).toMatchObject({ captured: AMOUNT, held: 0 });
  },
);

test('a capture of day 3 whose answer was lost is not renewed on day 4: it is found', async () => {
  const hold = await held();
  await bench.control.fault('capture_authorization', 'timeout_after');
  await caught(hold.capture(AMOUNT));
  await setDay(4);
  expect(snapshotOf(await hold.capture(AMOUNT))).toMatchObject(TAKEN);
  expect(await asked('reauthorize')).toBe(0);
});

test('a renewal that is declined is a declined capture; the hold stays, and another capture asks again', async () => {
  const hold = await held();
  await setDay(5);
  await bench.control.post('config', { reauthorizations: 'declined' });
  expect(await hold.capture(AMOUNT)).toMatchObject({
    kind: 'declined',
    code: 'card_declined',
    providerCode: 'REAUTHORIZATION_DECLINED_BY_PROCESSOR',
  });
  expect(await asked('capture_authorization')).toBe(0);
  expect(await hold.query()).toMatchObject({ status: 'requires_capture', amountCapturable: AMOUNT });
  await bench.control.post('config', { reauthorizations: 'granted' });
  expect(snapshotOf(await hold.capture(AMOUNT, 2))).toMatchObject(TAKEN);
});

test('declined to a repeat it is told apart from a decline of the capture, which may have worked before', async () => {
  const hold = await held();
  await setDay(5);
  await bench.control.post('config', { reauthorizations: 'unsupported' });
  await bench.control.fault('capture_authorization', 'reset_before');
  await caught(hold.capture(AMOUNT));
  await bench.control.post('config', { reauthorizations: 'declined' });
  expect(await hold.capture(AMOUNT)).toMatchObject({ code: 'card_declined', ofPreparation: true });
});

test.each(['unsupported', 'forbidden'])(
  'what cannot be renewed (%s) is captured as it is',
  async (answer) => {
    const hold = await held();
    await setDay(5);
    await bench.control.post('config', { reauthorizations: answer });
    expect(snapshotOf(await hold.capture(AMOUNT))).toMatchObject(TAKEN);
  },
);

test('PayPal renews once: asked a second time it refuses, and the capture is refused by its own answer', async () => {
  const hold = await held();
  await setDay(5);
  // More than the hold: renewed, and then refused, so that the renewal grows old in its turn.
  expect(await hold.capture(AMOUNT + 1)).toMatchObject({ providerCode: 'MAX_CAPTURE_AMOUNT_EXCEEDED' });
  await setDay(9);
  expect(await hold.capture(AMOUNT, 2)).toMatchObject({
    kind: 'declined',
    providerCode: 'TRANSACTION_REFUSED',
  });
  expect(await done()).toEqual(['reauthorize']);
  expect(await hold.query()).toMatchObject({ status: 'requires_capture', amountCapturable: AMOUNT });
});

test('the next command captures the renewal that is there, without another one', async () => {
  const hold = await held();
  await setDay(5);
  await hold.capture(AMOUNT + 1);
  expect(snapshotOf(await hold.capture(AMOUNT, 2))).toMatchObject(TAKEN);
  expect(await asked('reauthorize')).toBe(1);
});

test('a renewed hold is released by voiding its original: PayPal voids no reauthorization', async () => {
  const hold = await held();
  await setDay(5);
  await bench.control.fault('capture_authorization', 'error_before');
  await caught(hold.capture(AMOUNT));
  expect(snapshotOf(await hold.cancel())).toMatchObject({ status: 'canceled', releaseCause: 'requested' });
  expect(await hold.query()).toMatchObject({ status: 'canceled', amountCapturable: 0 });
  expect(await hold.capture(AMOUNT, 2)).toMatchObject({
    code: 'invalid_state',
    providerCode: 'AUTHORIZATION_VOIDED',
  });
  expect(await done()).toEqual(['reauthorize', 'void_authorization']);
  expect(await totals()).toMatchObject({ captured: 0, held: 0 });
});

test('after day 29 nothing is renewed: the hold is over', async () => {
  const hold = await held();
  await setDay(30);
  expect(await hold.capture(AMOUNT)).toMatchObject({ code: 'hold_expired' });
  expect(await asked('reauthorize')).toBe(0);
});

describe('the sandbox is as strict as PayPal', () => {
  let bearer = '';
  beforeAll(async () => {
    const { clientId, clientSecret, apiBase } = bench.target;
    const credentials = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
    const response = await fetch(`${apiBase}/v1/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${credentials}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    bearer = ((await response.json()) as { access_token: string }).access_token;
  });

  const usd = { currency_code: 'USD', value: '500.00' };
  const ask = async (path: string, key: string, body: object) => {
    const response = await fetch(`${bench.target.apiBase}/v2/payments/authorizations/${path}`, {
      method: 'POST',
      headers: {
        ...{ authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
        ...{ 'paypal-request-id': key, prefer: 'return=representation' },
      },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as { id?: string; details?: { issue: string }[] };
    return { id: answer.id, issue: answer.details?.[0]?.issue };
  };
  const renew = (id: string, key: string) => ask(`${id}/reauthorize`, key, { amount: usd });
  const original = async (order: string) => {
    const response = await fetch(`${bench.target.apiBase}/v2/checkout/orders/${order}`, {
      headers: { authorization: `Bearer ${bearer}` },
    });
    const { purchase_units: units } = (await response.json()) as {
      purchase_units: [{ payments: { authorizations: [{ id: string }] } }];
    };
    return units[0].payments.authorizations[0].id;
  };

  test('too soon, then a new id once; the old one is not captured and the new one neither renewed nor voided', async () => {
    const hold = await held();
    const old = await original(hold.id);
    await setDay(2.9);
    expect(await renew(old, 'r-1')).toMatchObject({ issue: 'REAUTHORIZATION_TOO_SOON' });
    await setDay(5);
    const { id: renewed = '' } = await renew(old, 'r-2');
    expect(renewed).not.toBe(old);
    expect((await renew(old, 'r-2')).id).toBe(renewed);
    expect(await renew(old, 'r-3')).toMatchObject({ issue: 'REAUTHORIZATION_TOO_SOON' });
    expect(await renew(renewed, 'r-4')).toMatchObject({ issue: 'REAUTHORIZATION_NOT_SUPPORTED' });
    expect(await ask(`${renewed}/void`, 'v-1', {})).toMatchObject({ issue: 'CANNOT_BE_VOIDED' });
    expect(await ask(`${old}/capture`, 'c-1', { amount: usd })).toMatchObject({
      issue: 'AUTHORIZATION_VOIDED',
    });
    expect(await ask(`${renewed}/capture`, 'c-2', { amount: usd })).toMatchObject({ issue: undefined });
  });

  test('what is not honored any more is not captured', async () => {
    const hold = await held();
    await setDay(5);
    const id = await original(hold.id);
    expect(await ask(`${id}/capture`, 'c-1', { amount: usd })).toMatchObject({
      issue: 'TRANSACTION_REFUSED',
    });
  });
});
