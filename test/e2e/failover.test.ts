/** One payment or hold, several channels: the next is tried only when the one before certainly did nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventTypesOf } from './checks';
import { FailoverShop, STRIPE_SAYS } from './failover-shop';
import { eventually, SECRETS, SOAK } from './harness';
import { holdOf } from './merchant-client';
import { paymentOf } from './payment-client';
import { confirmHold } from '../../dev/demo-client';
import { seededRandom } from '../../dev/seeded-random';

const ROUNDS = SOAK ? 200 : 20;
const AT_ONCE = 2;
const SEED = 20_261_125;

let shop: FailoverShop;

beforeAll(async () => {
  shop = await FailoverShop.open();
}, 120_000);
afterAll(() => shop?.close());
afterEach(() => shop?.restore());

const UNEXECUTED = 'stripe not_executed channel_unavailable';

async function openCalls(no: string): Promise<number> {
  const rows = await shop.system.rows(`SELECT 1 FROM channel_calls WHERE object_no = $1 AND state = 'open'`, [
    no,
  ]);
  return rows.length;
}

/** That the payment is at PayPal, as one payment of which nobody was told anything yet. */
async function expectAtPayPal(no: string, first: string): Promise<void> {
  const { data } = await shop.payments.get(no);
  expect(data).toMatchObject({ channel: 'paypal', status: 'requires_action' });
  expect(await shop.attempts(no)).toEqual([first, 'paypal accepted']);
  expect(await shop.ordersAtPayPal(shop.workflowId(no))).toBe(1);
  expect(await eventTypesOf(shop.system, no)).toEqual([]);
  expect(await openCalls(no)).toBe(0);
}

it('goes to the next channel when the first refuses connections', async () => {
  await shop.stripe.shut();
  const payment = await shop.payments.open();
  expect(payment).toMatchObject({ channel: 'paypal', status: 'requires_action' });
  await expectAtPayPal(payment.payment_no, UNEXECUTED);
  const notes = await shop.system.rows<{ data: object }>(
    `SELECT data FROM payment_events WHERE object_no = $1 AND type = 'channel.failed_over'`,
    [payment.payment_no],
  );
  expect(notes).toMatchObject([{ data: { from: 'stripe', to: 'paypal', n: 2, outcome: 'not_executed' } }]);
}, 30_000);

it.each([
  ['badKey', 'stripe declined account_invalid'],
  ['issuerAway', 'stripe declined processing_error'],
  ['tooMany', UNEXECUTED],
] as const)('goes to the next channel when the first says %s', async (says, attempt) => {
  shop.stripe.says = STRIPE_SAYS[says];
  const { payment_no: no } = await shop.payments.open();
  await expectAtPayPal(no, attempt);
});

it('fails at once with what holds everywhere', async () => {
  shop.stripe.says = STRIPE_SAYS.stolen;
  const reply = await shop.payments.create(paymentOf());
  expect(reply).toMatchObject({ status: 402, code: 'CHANNEL_DECLINED' });
  const no = String(reply.details?.['payment_no']);
  expect(await shop.attempts(no)).toEqual(['stripe declined fraud_suspected']);
  expect(await eventTypesOf(shop.system, no)).toEqual(['payment.failed']);
});

it('tries no other channel where the caller named one', async () => {
  await shop.rank(null);
  shop.stripe.says = STRIPE_SAYS.badKey;
  expect(await shop.payments.create(paymentOf({ channel: 'stripe' }))).toMatchObject({
    status: 402,
    code: 'CHANNEL_DECLINED',
  });
  expect(shop.stripe.creates).toBe(1);
});

it('fails as one payment when nobody takes it, with the last reason', async () => {
  await shop.stripe.shut();
  await shop.paypal.control('faults', {
    match: { operation: 'create_order' },
    fault: 'rate_limit',
    times: 9,
  });
  const no = await shop.begin();
  const failed = await shop.payments.waitFor(no, 'failed');
  expect(failed.decline_code).toBe('channel_unavailable');
  expect(await shop.attempts(no)).toEqual([UNEXECUTED, 'paypal not_executed channel_unavailable']);
  expect(await eventTypesOf(shop.system, no)).toEqual(['payment.failed']);
  const claims = await shop.system.rows('SELECT 1 FROM order_claims WHERE number = $1', [no]);
  expect(claims).toEqual([]);
}, 30_000);

it('keeps what may have been executed, and goes on with what was proved not to be', async () => {
  await shop.system.sandbox.fault('create', 'timeout_after');
  const kept = await shop.begin();
  expect(await shop.payments.waitFor(kept, 'requires_action')).toMatchObject({ channel: 'stripe' });
  expect(await shop.attempts(kept)).toEqual(['stripe accepted']);
  expect(await shop.ordersAtPayPal(shop.workflowId(kept))).toBe(0);

  await shop.system.sandbox.fault('create', 'error_stored_not_executed');
  const beganMs = Date.now();
  const proved = await shop.begin();
  await shop.payments.waitFor(proved, 'requires_action');
  expect(Date.now() - beganMs).toBeGreaterThanOrEqual(2_000);
  await expectAtPayPal(proved, 'stripe not_executed proved_absent');
  expect(await shop.intentsAtStripe(shop.workflowId(proved))).toBe(0);
}, 60_000);

it('does not leave a channel of which one send may have arrived, though the next ones certainly do not', async () => {
  await shop.system.sandbox.fault('create', 'error_before');
  const no = await shop.begin();
  await eventually(
    'the lost answer',
    () =>
      shop.system.rows<{ maybe_sent: boolean }>('SELECT maybe_sent FROM channel_calls WHERE object_no = $1', [
        no,
      ]),
    ([call]) => call?.maybe_sent === true,
  );
  await shop.stripe.shut();
  await sleep(2_500);
  expect(await shop.attempts(no)).toEqual(['stripe pending']);
  await shop.stripe.open();
  expect(await shop.payments.waitFor(no, 'requires_action')).toMatchObject({ channel: 'stripe' });
}, 60_000);

it('lets a cancel that arrives between two channels win', async () => {
  await shop.system.sandbox.fault('create', 'error_stored_not_executed');
  const no = await shop.begin();
  await eventually(
    'the first reading',
    () =>
      shop.system.rows<{ first_absent_at: Date | null }>(
        'SELECT first_absent_at FROM channel_calls WHERE object_no = $1',
        [no],
      ),
    ([call]) => call?.first_absent_at != null,
  );
  await shop.system.temporal.workflow
    .getHandle(shop.workflowId(no))
    .signal('cancel', { reason: 'changed my mind' });
  await shop.payments.waitFor(no, 'cancelled');
  expect(await shop.attempts(no)).toEqual([
    'stripe not_executed proved_absent',
    'paypal not_executed not_sent',
  ]);
  expect(await shop.ordersAtPayPal(shop.workflowId(no))).toBe(0);
  expect(await eventTypesOf(shop.system, no)).toEqual(['payment.cancelled']);
  expect(await shop.system.rows('SELECT cancel_reason FROM payments WHERE payment_no = $1', [no])).toEqual([
    { cancel_reason: 'changed my mind' },
  ]);
  expect(await openCalls(no)).toBe(0);
}, 60_000);

/** Its workflow began more than two seconds after its row, on a busy machine: it may have been sent before, for all we know. */
async function beganLate(no: string): Promise<boolean> {
  const text = `SELECT 1 FROM channel_calls WHERE object_no = $1 AND operation = 'create' AND n = 1 AND maybe_sent`;
  return (await shop.system.rows(text, [no])).length > 0;
}

it('is cancelled whenever that is asked for while it changes its channel', async () => {
  shop.stripe.says = STRIPE_SAYS.badKey;
  const random = seededRandom(SEED);
  let late = 0;
  const round = async () => {
    const no = await shop.begin();
    const workflow = shop.system.temporal.workflow.getHandle(shop.workflowId(no));
    await eventually(
      'the workflow',
      () => workflow.describe().then(Boolean, () => false),
      (isThere) => isThere,
    );
    await sleep(random() * 120);
    await workflow.signal('cancel', {});
    const isLate = await eventually(
      'its end',
      async () => ({ ...(await shop.payments.get(no)).data, isLate: await beganLate(no) }),
      (payment) => payment.status === 'cancelled' || payment.isLate,
      30_000,
    ).then((payment) => payment.isLate);
    // That one waits until its channel is known to have nothing, and changes no channel before.
    if (isLate) return void (late += 1);
    expect((await shop.attempts(no))[0]).toBe('stripe declined account_invalid');
    expect(await eventTypesOf(shop.system, no)).toEqual(['payment.cancelled']);
    expect(await shop.ordersAtPayPal(shop.workflowId(no))).toBeLessThanOrEqual(1);
    expect(await openCalls(no)).toBe(0);
  };
  for (let i = 0; i < ROUNDS; i += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, round));
  expect(late).toBeLessThan(ROUNDS);
}, 180_000);

it('makes one order at the next channel though the worker dies while it is asked', async () => {
  shop.stripe.says = STRIPE_SAYS.badKey;
  await shop.paypal.control('faults', { match: { operation: 'create_order' }, fault: 'timeout_after' });
  const no = await shop.begin();
  await eventually(
    'the order at PayPal',
    () => shop.ordersAtPayPal(shop.workflowId(no)),
    (count) => count === 1,
  );
  await shop.system.workers[0]?.kill();
  await shop.system.workers[0]?.restart();
  await shop.payments.waitFor(no, 'requires_action');
  await expectAtPayPal(no, 'stripe declined account_invalid');
}, 90_000);

it('finds money that arrives after all at the channel that was left', async () => {
  await shop.stripe.shut();
  const { payment_no: no, amount } = await shop.payments.open();
  await shop.stripe.open();
  await payAtStripe(no, amount);
  const [late] = await eventually(
    'the late money',
    () => shop.system.rows<{ id: string }>('SELECT * FROM late_payments WHERE object_no = $1', [no]),
    (rows) => rows.length === 1,
  );
  expect(late).toMatchObject({ kind: 'late', amount, channel_account_id: shop.system.accountId });
  expect(await eventTypesOf(shop.system, no)).toEqual(['payment.late_paid']);
  // The payment itself goes on where it is.
  expect((await shop.payments.get(no)).data).toMatchObject({ channel: 'paypal', status: 'requires_action' });
  const path = `/api/v1/late-payments/${late?.id ?? ''}/refund`;
  expect((await shop.system.client().call(path, { json: {} })).status).toBeLessThan(300);
  await eventually(
    'the refund at the first channel',
    () =>
      shop.system.rows<{ status: string; channel: string }>(
        'SELECT status, channel FROM refunds WHERE object_no = $1',
        [no],
      ),
    ([refund]) => refund?.status === 'success' && refund.channel === 'stripe',
  );
}, 60_000);

/** What nobody should be able to do: the create that never arrived is there, and paid. */
async function payAtStripe(no: string, amount: number): Promise<void> {
  const holdfastId = shop.workflowId(no);
  const form = {
    ...{ amount: String(amount), currency: 'usd', 'automatic_payment_methods[enabled]': 'true' },
    'automatic_payment_methods[allow_redirects]': 'never',
    ...{ 'metadata[holdfast_id]': holdfastId, 'metadata[holdfast_call]': 'create/1' },
  };
  const response = await fetch(`${shop.system.sandbox.url}/v1/payment_intents`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SECRETS.stripeKey}`, 'idempotency-key': `${holdfastId}/create/1` },
    body: new URLSearchParams(form),
  });
  const intent = (await response.json()) as { id: string; client_secret: string };
  if (!response.ok) throw new Error(JSON.stringify(intent));
  const made = { channel_pre_auth_no: intent.id, client_secret: intent.client_secret };
  await confirmHold(shop.system.sandbox.url, made, { paymentMethod: 'pm_card_visa' });
}

it('gives a hold to the next channel, and ends one that nobody takes', async () => {
  shop.stripe.says = STRIPE_SAYS.badKey;
  const merchant = shop.system.client();
  const { pre_auth_no: no } = await merchant.open({ channel: 'stripe' });
  expect(await shop.attempts(no, 'pre_auth')).toEqual(['stripe declined account_invalid', 'paypal accepted']);
  const { data } = await merchant.get(no);
  expect(data).toMatchObject({ channel: 'paypal' });
  expect(await shop.ordersAtPayPal(shop.system.workflowId(no))).toBe(1);

  await shop.paypal.control('faults', {
    match: { operation: 'create_order' },
    fault: 'rate_limit',
    times: 9,
  });
  const reply = await merchant.create(holdOf({ channel: 'stripe' }));
  expect(reply).toMatchObject({ status: 402, code: 'CHANNEL_NOT_REACHED' });
  const [row] = await shop.system.rows<{ pre_auth_no: string; decline_code: string }>(
    `SELECT pre_auth_no, decline_code FROM pre_auths WHERE status = 'failed'`,
  );
  expect(row?.decline_code).toBe('channel_unavailable');
  expect(await eventTypesOf(shop.system, row?.pre_auth_no ?? '')).toEqual(['pre_auth.failed']);
}, 60_000);
