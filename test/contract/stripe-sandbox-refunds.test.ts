/** Money that goes back in the sandbox: as strict as Stripe, seen through the official SDK and the adapter. */
import type Stripe from 'stripe';
import type { BooksWithRefunds } from '../../dev/stripe-sandbox/books';
import { startStripeSandbox } from '../../dev/stripe-sandbox/server';
import type { StripeSandbox } from '../../dev/stripe-sandbox/server';
import { createStripeAdapter } from '../../src/channels/stripe/adapter';
import type { StripeAdapter } from '../../src/channels/stripe/adapter';
import { ChannelFault } from '../../src/domain/channel';
import { newHold, sandboxControl, until } from './sandbox-control';
import type { SandboxControl } from './sandbox-control';
import { officialSdk, stripeAccount } from './stripe-harness';

const OTHER_KEY = 'sk_test_somebody_else';
const EXCHANGE = { timeoutMs: 2_000 };
let sandbox: StripeSandbox;
let control: SandboxControl;
let sdk: Stripe;
let adapter: StripeAdapter;

beforeAll(async () => {
  sandbox = await startStripeSandbox({ secretKey: `sk_test_holdfast_sandbox,${OTHER_KEY}` });
  control = sandboxControl(sandbox.url);
  sdk = officialSdk({ ...sandbox, apiBase: sandbox.url });
  adapter = createStripeAdapter(stripeAccount({ ...sandbox, apiBase: sandbox.url }), sandbox.url);
});
beforeEach(() => control.post('reset'));
afterAll(async () => {
  adapter.close();
  await sandbox.stop();
});

async function paid(method = 'pm_card_visa', more: object = {}): Promise<string> {
  const automatic = { enabled: true, allow_redirects: 'never' as const };
  const params = { amount: 50_000, currency: 'usd', automatic_payment_methods: automatic, ...more };
  const { id } = await sdk.paymentIntents.create(params);
  await sdk.paymentIntents.confirm(id, { payment_method: method });
  return id;
}
async function captured(amount: number): Promise<string> {
  const id = await paid('pm_card_visa', {
    capture_method: 'manual',
    automatic_payment_methods: undefined,
    allowed_payment_method_types: ['card'],
  });
  await sdk.paymentIntents.capture(id, { amount_to_capture: amount });
  return id;
}
const targetOf = (id: string) =>
  ({ kind: 'payment', channelNo: id, amount: 50_000, currency: 'USD' }) as const;
const refundThrough = (id: string, amount: number, call = newHold()('refund/1')) =>
  adapter.createRefund({ refundNo: 'RF1', target: targetOf(id), amount, currency: 'USD' }, call, EXCHANGE);
const errorOf = (work: Promise<unknown>) =>
  work.then(
    () => new Error('no error'),
    (error: unknown) => error as Stripe.errors.StripeError,
  );

describe('what is refused', () => {
  test('more than is left, and anything once all is gone', async () => {
    const id = await paid();
    const more = await errorOf(sdk.refunds.create({ payment_intent: id, amount: 50_001 }));
    expect(more).toMatchObject({ statusCode: 400, rawType: 'invalid_request_error', param: 'amount' });
    await sdk.refunds.create({ payment_intent: id, amount: 20_000 });
    const again = await errorOf(sdk.refunds.create({ payment_intent: id, amount: 30_001 }));
    expect(again).toMatchObject({ param: 'amount' });
    expect(await refundThrough(id, 30_001)).toMatchObject({ kind: 'declined', code: 'invalid_amount' });
    // Without an amount: all that is left.
    expect((await sdk.refunds.create({ payment_intent: id })).amount).toBe(30_000);
    const gone = await errorOf(sdk.refunds.create({ payment_intent: id, amount: 1 }));
    expect(gone).toMatchObject({ statusCode: 400, code: 'charge_already_refunded' });
    expect(await refundThrough(id, 1)).toMatchObject({ kind: 'declined', code: 'invalid_state' });
    expect((await control.books()).totals['usd']).toMatchObject({ captured: 50_000 });
  });

  test.each<[string, object, object]>([
    ['neither payment nor charge', {}, { code: 'parameter_missing' }],
    ['both', { payment_intent: 'pi_1', charge: 'ch_1' }, { code: 'parameters_exclusive' }],
    ['an unknown payment', { payment_intent: 'pi_1' }, { statusCode: 404, code: 'resource_missing' }],
    ['an unknown charge', { charge: 'ch_1' }, { statusCode: 404, code: 'resource_missing' }],
    ['another parameter', { colour: 'red' }, { code: 'parameter_unknown' }],
    ['a reason in own words', { payment_intent: 'pi_1', reason: 'I like him' }, { param: 'reason' }],
  ])('%s', async (_what, params, expected) => {
    expect(await errorOf(sdk.refunds.create(params))).toMatchObject(expected);
  });

  test("somebody else's payment, and lists and refunds of it", async () => {
    const id = await paid();
    const { id: refundId } = await sdk.refunds.create({ payment_intent: id, amount: 100 });
    const theirs = officialSdk({ ...sandbox, secretKey: OTHER_KEY, apiBase: sandbox.url });
    const missing = { statusCode: 404, code: 'resource_missing' };
    expect(await errorOf(theirs.refunds.create({ payment_intent: id }))).toMatchObject(missing);
    expect(await errorOf(theirs.refunds.list({ payment_intent: id }))).toMatchObject(missing);
    expect(await errorOf(theirs.disputes.list({ payment_intent: id }))).toMatchObject(missing);
    expect(await errorOf(theirs.refunds.retrieve(refundId))).toMatchObject(missing);
    expect((await theirs.refunds.list()).data).toEqual([]);
  });

  test('a fraction of a króna and a refund of nothing', async () => {
    const id = await paid('pm_card_visa', { currency: 'isk' });
    const half = await errorOf(sdk.refunds.create({ payment_intent: id, amount: 150 }));
    expect(half).toMatchObject({ code: 'parameter_invalid_integer', param: 'amount' });
    const none = await errorOf(sdk.refunds.create({ payment_intent: id, amount: 0 }));
    expect(none).toMatchObject({ code: 'parameter_invalid_integer' });
  });
});

test('a hold captured in part can be refunded up to that part; its release is no refund', async () => {
  const id = await captured(32_000);
  // Stripe shows the rest that was released among the refunds; nobody may take that for a refund made by hand.
  expect((await sdk.refunds.list({ payment_intent: id })).data).toMatchObject([
    { amount: 18_000, balance_transaction: null },
  ]);
  const target = { ...targetOf(id), kind: 'pre_auth' as const, amount: 32_000 };
  expect(await adapter.listRefunds(target, EXCHANGE)).toEqual([]);
  expect((await refundThrough(id, 32_001)).kind).toBe('declined');
  expect(await refundThrough(id, 12_000)).toMatchObject({ kind: 'done', snapshot: { amount: 12_000 } });
  expect(await refundThrough(id, 20_000)).toMatchObject({ kind: 'done' });
  const listed = await adapter.listRefunds(target, EXCHANGE);
  expect(listed.map(({ amount }) => amount).sort()).toEqual([12_000, 20_000]);
  expect(await control.books()).toMatchObject({
    totals: { usd: { captured: 32_000, released: 18_000 } },
    refunded: { usd: 32_000 },
  });
});

test('of a hundred refunds at once exactly those that fit are made', async () => {
  const id = await paid();
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) => refundThrough(id, 1_000, newHold()(`refund/${n}`))),
  );
  expect(answers.filter(({ kind }) => kind === 'done')).toHaveLength(50);
  expect(answers.filter(({ kind }) => kind === 'declined')).toHaveLength(50);
  expect(await adapter.listRefunds(targetOf(id), EXCHANGE)).toHaveLength(50);
  expect(await adapter.queryPayment(id, EXCHANGE)).toMatchObject({ amountRefunded: 50_000 });
});

test('more refunds than fit on a page are all in the list', async () => {
  const id = await paid();
  for (let n = 0; n < 105; n++) await sdk.refunds.create({ payment_intent: id, amount: 100 + n });
  const listed = await adapter.listRefunds(targetOf(id), EXCHANGE);
  expect(listed.map(({ amount }) => amount)).toEqual(Array.from({ length: 105 }, (_, n) => 204 - n));
});

describe('refunds of cards that have their own ideas', () => {
  beforeEach(() => control.post('config', { refundSettleMs: 50 }));

  test('pending, and then succeeded by itself', async () => {
    const id = await paid('pm_card_pendingRefund');
    expect(await refundThrough(id, 20_000)).toMatchObject({
      kind: 'pending',
      snapshot: { status: 'pending' },
    });
    const list = () => adapter.listRefunds(targetOf(id), EXCHANGE);
    await until(list, ([refund]) => refund?.status === 'succeeded');
  });

  test('succeeded, and then failed: the money is ours again', async () => {
    const id = await paid('pm_card_refundFail');
    expect(await refundThrough(id, 50_000)).toMatchObject({
      kind: 'done',
      snapshot: { status: 'succeeded' },
    });
    const list = () => adapter.listRefunds(targetOf(id), EXCHANGE);
    const [failed] = await until(list, ([refund]) => refund?.status === 'failed');
    expect(failed).toMatchObject({ refundNo: 'RF1', failureCode: 'lost_or_stolen_card' });
    expect(await adapter.queryPayment(id, EXCHANGE)).toMatchObject({ amountPaid: 50_000, amountRefunded: 0 });
    await expect(
      control.post(`refunds/${failed?.channelRefundNo ?? ''}/settle`, { outcome: 'succeeded' }),
    ).rejects.toThrow('status_transition_invalid');
  });
});

describe('a refund whose answer is lost', () => {
  test.each<[string, boolean, boolean]>([
    ['error_before', false, false],
    ['error_after', true, true],
    ['error_stored_not_executed', false, true],
    ['timeout_after', true, false],
  ])('%s: the list knows, and the key says the same for ever', async (fault, isMade, isStoredError) => {
    const id = await paid();
    const call = newHold()('refund/1');
    await control.fault('refund', fault);
    await expect(refundThrough(id, 10_000, call)).rejects.toMatchObject({ execution: 'maybe_executed' });
    const listed = await adapter.listRefunds(targetOf(id), EXCHANGE);
    expect(listed.map(({ holdfastId }) => holdfastId)).toEqual(isMade ? [call.holdfastId] : []);
    const again = await refundThrough(id, 10_000, call).catch((error: unknown) => error);
    if (isStoredError) expect(again).toMatchObject({ storedAnswer: true });
    else expect(again).toMatchObject({ kind: 'done' });
    const { refunded, calls } = (await control.books()) as BooksWithRefunds;
    expect(refunded['usd'] ?? 0).toBe(isMade || !isStoredError ? 10_000 : 0);
    const asked = calls.filter(({ operation }) => operation === 'refund');
    expect(asked.map(({ payment_intent: named }) => named)).toEqual([id, id]);
  });

  test('a list that fails is a fault and never empty', async () => {
    const id = await paid();
    await control.fault('list_refunds', 'error_before');
    await expect(adapter.listRefunds(targetOf(id), EXCHANGE)).rejects.toBeInstanceOf(ChannelFault);
    await control.fault('list_disputes', 'error_before');
    await expect(adapter.listDisputes(targetOf(id), EXCHANGE)).rejects.toBeInstanceOf(ChannelFault);
  });
});

describe('disputes', () => {
  test('what is disputed cannot be refunded, unless the dispute is won', async () => {
    const id = await paid('pm_card_createDispute');
    expect(await refundThrough(id, 100)).toMatchObject({
      kind: 'declined',
      code: 'invalid_state',
      providerCode: 'charge_disputed',
    });
    await control.post(`payment_intents/${id}/close-dispute`, { outcome: 'won' });
    expect((await refundThrough(id, 100)).kind).toBe('done');
    await control.post(`payment_intents/${id}/dispute`, { amount: 700, reason: 'product_not_received' });
    await control.post(`payment_intents/${id}/close-dispute`, { outcome: 'lost' });
    expect((await refundThrough(id, 100)).kind).toBe('declined');
    expect(await adapter.listDisputes(targetOf(id), EXCHANGE)).toMatchObject([
      { status: 'lost', amount: 700, reason: 'product_not_received', channelNo: id },
      { status: 'won', amount: 50_000, reason: 'fraudulent' },
    ]);
    await expect(control.post(`payment_intents/${id}/close-dispute`)).rejects.toThrow('no open dispute');
  });

  test('what was given back already cannot be disputed', async () => {
    const id = await paid();
    await sdk.refunds.create({ payment_intent: id });
    await expect(control.post(`payment_intents/${id}/dispute`)).rejects.toThrow('left to dispute');
  });
});
