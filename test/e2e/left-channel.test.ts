/** What is found at a channel that a payment or hold has left: released, cancelled, given back, disputed where it is. */
import { confirmHold } from '../../dev/demo-client';
import { eventTypesOf } from './checks';
import { FailoverShop, STRIPE_SAYS } from './failover-shop';
import { eventually, SECRETS } from './harness';
import { refundEventsOf, RefundClient } from './refund-client';

let shop: FailoverShop;

beforeAll(async () => {
  shop = await FailoverShop.open();
}, 120_000);
afterAll(() => shop?.close());
afterEach(() => shop?.restore());

type Kind = 'payment' | 'pre_auth';

/** What nobody should be able to do: the create that never arrived is there. @returns its number at Stripe */
async function appearAtStripe(kind: Kind, no: string, paymentMethod = 'pm_card_visa'): Promise<string> {
  const holdfastId = kind === 'payment' ? shop.workflowId(no) : shop.system.workflowId(no);
  const form = {
    ...{ amount: '50000', currency: 'usd' },
    capture_method: kind === 'payment' ? 'automatic' : 'manual',
    ...(kind === 'payment'
      ? {
          'automatic_payment_methods[enabled]': 'true',
          'automatic_payment_methods[allow_redirects]': 'never',
        }
      : { 'allowed_payment_method_types[]': 'card' }),
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
  // A card that is declined leaves it open, and Stripe tells of that too.
  await confirmHold(shop.system.sandbox.url, made, { paymentMethod }).catch(() => undefined);
  return intent.id;
}

async function movedPayment(): Promise<string> {
  await shop.stripe.shut();
  const { payment_no: no } = await shop.payments.open();
  await shop.stripe.open();
  return no;
}

/** One that has gone to PayPal, and whose money has arrived at Stripe. */
async function paidAtStripe(paymentMethod?: string) {
  const no = await movedPayment();
  const intent = await appearAtStripe('payment', no, paymentMethod);
  const late = await lateOf(no, 'needs_attention');
  return { no, intent, lateId: late.id };
}

async function lateOf(no: string, state: string) {
  const [late] = await eventually(
    `the late money is ${state}`,
    () =>
      shop.system.rows<{ id: string; state: string; refund_reserved: number; channel_account_id: string }>(
        'SELECT id, state, refund_reserved, channel_account_id FROM late_payments WHERE object_no = $1',
        [no],
      ),
    (rows) => rows.length === 1 && rows[0]?.state === state,
  );
  if (late === undefined) throw new Error('no late money');
  return late;
}

const leftOf = (intent: string) =>
  shop.system.rows<{ cancels: number; cancel_key: string | null; cancelled_at: Date | null }>(
    'SELECT cancels, cancel_key, cancelled_at, needs_attention FROM left_objects WHERE channel_no = $1',
    [intent],
  );

async function expectCancelled(kind: Kind, no: string, intent: string): Promise<void> {
  const [left] = await eventually(
    'its cancellation is read back',
    () => leftOf(intent),
    ([row]) => row !== undefined && row.cancelled_at !== null,
    40_000,
  );
  expect(left).toMatchObject({ cancels: 1, cancel_key: null, needs_attention: null });
  const holdfastId = kind === 'payment' ? shop.workflowId(no) : shop.system.workflowId(no);
  const { calls } = await shop.system.sandbox.books(holdfastId);
  const cancels = calls.filter(({ operation }) => operation === 'cancel');
  expect(new Set(cancels.map((call) => call.idempotency_key))).toEqual(
    new Set([`${holdfastId}/cancel-left/1`]),
  );
  expect((await shop.system.sandbox.intentOf(holdfastId)).status).toBe('canceled');
  await allProcessed(intent);
}

const allProcessed = (intent: string) =>
  eventually(
    'all its news is processed',
    () =>
      shop.system.rows<{ state: string }>('SELECT state FROM channel_events WHERE object_id = $1', [intent]),
    (rows) => rows.length > 0 && rows.every(({ state }) => state === 'processed'),
    40_000,
  );

const inDashboard = (intent: string, verb: string, input: object = {}) =>
  shop.system.sandbox.post(`payment_intents/${intent}/${verb}`, input);

it.each([
  ['answers', undefined],
  ['executes it and never answers', 'timeout_after'],
] as const)(
  'releases money that is held there, and the hold goes on: the channel %s',
  async (_, fault) => {
    shop.stripe.says = STRIPE_SAYS.badKey;
    const { pre_auth_no: no } = await shop.system.client().open({ channel: 'stripe' });
    if (fault !== undefined) await shop.system.sandbox.fault('cancel', fault);
    const intent = await appearAtStripe('pre_auth', no);
    await expectCancelled('pre_auth', no, intent);
    const { data } = await shop.system.client().get(no);
    expect(data).toMatchObject({ channel: 'paypal', status: 'requires_action' });
    expect(await shop.system.rows('SELECT 1 FROM late_payments WHERE object_no = $1', [no])).toEqual([]);
    expect(await eventTypesOf(shop.system, no)).toEqual([]);
  },
  90_000,
);

it('cancels there what its customer could still pay', async () => {
  const no = await movedPayment();
  const intent = await appearAtStripe('payment', no, 'pm_card_chargeDeclined');
  await expectCancelled('payment', no, intent);
  const { data } = await shop.payments.get(no);
  expect(data).toMatchObject({ channel: 'paypal', status: 'requires_action' });
}, 60_000);

it('takes up what appears after a payment has ended without any channel', async () => {
  await shop.stripe.shut();
  await shop.paypal.control('faults', {
    match: { operation: 'create_order' },
    fault: 'rate_limit',
    times: 9,
  });
  const no = await shop.begin();
  await shop.payments.waitFor(no, 'failed');
  await shop.stripe.open();
  const intent = await appearAtStripe('payment', no);
  const { channel_account_id: account } = await lateOf(no, 'needs_attention');
  expect(account).toBe(shop.system.accountId);
  await allProcessed(intent);
  expect(await eventTypesOf(shop.system, no)).toEqual(['payment.failed', 'payment.late_paid']);
}, 60_000);

it('reads a refund of its money where it was made, when that comes back', async () => {
  const { no, lateId, intent } = await paidAtStripe();
  const path = `/api/v1/late-payments/${lateId}/refund`;
  expect((await shop.system.client().call(path, { json: {} })).status).toBe(200);
  await lateOf(no, 'refunded');
  const [refund] = await shop.system.rows<{ refund_no: string; channel_refund_no: string }>(
    'SELECT refund_no, channel_refund_no FROM refunds WHERE object_no = $1',
    [no],
  );
  const { refund_no: refundNo = '', channel_refund_no: theirs = '' } = refund ?? {};
  await shop.system.sandbox.post(`refunds/${theirs}/settle`, { outcome: 'failed' });
  await new RefundClient(shop.system.client(), shop.system.sandbox.url).waitFor(refundNo, 'failed');
  expect(await lateOf(no, 'needs_attention')).toMatchObject({ refund_reserved: 0 });
  expect(await refundEventsOf(shop.system, refundNo)).toEqual(['refund.success', 'refund.failed']);
  await allProcessed(intent);
}, 60_000);

it('counts refunds made by hand there against the late money alone', async () => {
  const { no, intent } = await paidAtStripe();
  const byHand = () =>
    shop.system.rows<{ amount: number; status: string }>(
      'SELECT amount, status FROM left_refunds WHERE channel_no = $1 ORDER BY amount',
      [intent],
    );
  await inDashboard(intent, 'refund-by-dashboard', { amount: 20_000 });
  await eventually('the first part', byHand, (rows) => rows.length === 1);
  await lateOf(no, 'needs_attention');
  await inDashboard(intent, 'refund-by-dashboard', { amount: 30_000 });
  expect(await eventually('the rest', byHand, (rows) => rows.length === 2)).toEqual([
    { amount: 20_000, status: 'success' },
    { amount: 30_000, status: 'success' },
  ]);
  await lateOf(no, 'refunded');
  await allProcessed(intent);
  const [payment] = await shop.system.rows(
    'SELECT refund_reserved, refunded_external, status FROM payments WHERE payment_no = $1',
    [no],
  );
  expect(payment).toEqual({ refund_reserved: 0, refunded_external: 0, status: 'requires_action' });
}, 60_000);

it('tells of a dispute about its money, which names nothing but its number there, and gives that back no more', async () => {
  const { no, lateId, intent } = await paidAtStripe();
  await inDashboard(intent, 'dispute', { amount: 30_000, reason: 'fraudulent' });
  await inDashboard(intent, 'close-dispute', { outcome: 'lost' });
  const [dispute] = await eventually(
    'the dispute is lost',
    () =>
      shop.system.rows<{ status: string }>(
        'SELECT status, amount, object_no, channel_no, channel_account_id FROM disputes WHERE object_no = $1',
        [no],
      ),
    ([row]) => row?.status === 'lost',
  );
  const account = { channel_account_id: shop.system.accountId };
  expect(dispute).toEqual({ status: 'lost', amount: 30_000, object_no: no, channel_no: intent, ...account });
  const told = await shop.system.rows<{ type: string; data: { channel: string } }>(
    `SELECT type, data FROM payment_events WHERE object_no = $1 AND type LIKE 'dispute.%' ORDER BY sequence`,
    [no],
  );
  expect(told.map(({ type, data }) => [type, data.channel])).toEqual([
    ['dispute.opened', 'stripe'],
    ['dispute.closed', 'stripe'],
  ]);
  const path = `/api/v1/late-payments/${lateId}/refund`;
  const refused = { status: 409, code: 'REFUND_DISPUTED' };
  expect(await shop.system.client().call(path, { json: {} })).toMatchObject(refused);
  await lateOf(no, 'needs_attention');
  await allProcessed(intent);
}, 60_000);
