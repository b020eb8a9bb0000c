/**
 * What hours and days do at PayPal: orders that were not completed are forgotten, and holds are honored for three days. What
 * is forgotten comes to an end without anybody looking, unless a call of ours may have worked: then an operator decides.
 */
import type { Hold } from '../../dev/demo-client';
import { eventTypesOf } from './checks';
import { eventually } from './eventually';
import type { System } from './harness';
import type { MerchantClient } from './merchant-client';
import { PaymentClient, paymentWorkflowId } from './payment-client';
import type { PaymentView } from './payment-client';
import { executed, HOUR_MS, startPayPalShop } from './paypal-shop';
import type { PayPalShop } from './paypal-shop';

const AMOUNT = 50_000;
const DAY_MS = 24 * HOUR_MS;
/** Longer than PayPal remembers what was created, or approved, and not completed. */
const FORGOTTEN_MS = 4 * HOUR_MS;
const NOT_EXECUTED = { by: 'ann', reason: 'nothing in the dashboard', outcome: 'not_executed' };

let shop: PayPalShop;
let system: System;
let client: MerchantClient;
let payments: PaymentClient;

beforeAll(async () => {
  shop = await startPayPalShop();
  system = shop.system;
  client = system.client();
  payments = new PaymentClient(client, '');
});
afterEach(() => shop.restore());
afterAll(() => shop?.stop());

const control = (path: string, body: object = {}) => shop.control(path, body);
const approve = (order: string | null, how: object = {}) => control(`orders/${order}/approve`, how);

describe('payments whose order PayPal has forgotten', () => {
  const open = (fields: object = {}) => payments.open({ channel: 'paypal', ...fields });
  const idOf = ({ payment_no: no }: PaymentView) => paymentWorkflowId(system, no);
  const workflowOf = (payment: PaymentView) => system.temporal.workflow.getHandle(idOf(payment));
  const taken = async (payment: PaymentView) => (await shop.books(idOf(payment))).totals['USD']?.captured;

  /** Ended without money and without anybody who has to look. */
  async function expectEnded({ payment_no: no }: PaymentView, ...calls: string[]): Promise<void> {
    const rows = await system.rows(
      'SELECT needs_attention, amount_paid FROM payments WHERE payment_no = $1',
      [no],
    );
    expect(rows).toEqual([{ needs_attention: null, amount_paid: 0 }]);
    expect(await shop.callsOf(no)).toEqual(calls);
  }

  test('nobody approved: it expires, or is cancelled, and cannot be approved any more', async () => {
    const [expiring, cancelled] = [await open({ expires_in: 4 }), await open()];
    await shop.setAhead(FORGOTTEN_MS);
    expect(await payments.cancel(cancelled.payment_no)).toMatchObject({
      status: 200,
      data: { status: 'cancelled' },
    });
    await payments.waitFor(expiring.payment_no, 'expired');
    for (const payment of [expiring, cancelled]) {
      await expectEnded(payment, 'create executed', 'cancel executed');
      await expect(approve(payment.channel_payment_no)).rejects.toThrow('RESOURCE_NOT_FOUND');
      expect(await taken(payment)).toBe(0);
    }
    expect(await eventTypesOf(system, expiring.payment_no)).toEqual(['payment.expired']);
  });

  test('approved, and the news was lost: it expires, and nothing was taken', async () => {
    const payment = await open({ expires_in: 4 });
    await control('events-mode', { pause: true });
    await approve(payment.channel_payment_no);
    await shop.setAhead(FORGOTTEN_MS);
    await payments.waitFor(payment.payment_no, 'expired');
    await expectEnded(payment, 'create executed', 'cancel executed');
    expect(await taken(payment)).toBe(0);
  });

  test('approved and known to be, and the workflow lost before our call: it expires', async () => {
    const payment = await open({ expires_in: 8 });
    await control('events-mode', { pause: true });
    await approve(payment.channel_payment_no);
    await shop.setAhead(FORGOTTEN_MS);
    await workflowOf(payment).terminate('the test');
    // As the row is when a crash comes between the news and our call.
    await system.rows("UPDATE payments SET status = 'processing' WHERE payment_no = $1", [
      payment.payment_no,
    ]);
    await payments.waitFor(payment.payment_no, 'expired');
    await expectEnded(payment, 'create executed', 'cancel executed');
    expect(await taken(payment)).toBe(0);
  });

  test('our call may have worked: an operator decides, and then it expires', async () => {
    const payment = await open({ expires_in: 10 });
    await shop.fault(idOf(payment), 'capture_order', 'error_before', { times: 100 });
    await approve(payment.channel_payment_no);
    await eventually(
      'our call is on its way',
      () => shop.callsOf(payment.payment_no),
      (calls) => calls.includes('capture open'),
    );
    await shop.setAhead(FORGOTTEN_MS);
    await eventually(
      'an operator is asked',
      () => workflowOf(payment).query<{ payment: { needsAttention: string | null } | null }>('state'),
      ({ payment: known }) => known?.needsAttention != null,
    );
    await workflowOf(payment).signal('settle', NOT_EXECUTED);
    await payments.waitFor(payment.payment_no, 'expired');
    await expectEnded(payment, 'create executed', 'capture not_executed', 'cancel executed');
  });

  test('our call has worked and its answer was lost: the order is not forgotten, and the payment is paid once', async () => {
    const payment = await open();
    await shop.fault(idOf(payment), 'capture_order', 'timeout_after');
    await approve(payment.channel_payment_no);
    await eventually(
      'our call is on its way',
      () => shop.callsOf(payment.payment_no),
      (calls) => calls.includes('capture open'),
    );
    await shop.setAhead(FORGOTTEN_MS);
    await payments.waitFor(payment.payment_no, 'success');
    expect(await taken(payment)).toBe(AMOUNT);
    expect(executed(await shop.books(idOf(payment)), 'capture_order')).toHaveLength(1);
  });

  test('approved after it has expired: looked at, and nothing is taken', async () => {
    const payment = await open({ expires_in: 1 });
    await payments.waitFor(payment.payment_no, 'expired');
    await approve(payment.channel_payment_no);
    await eventually(
      'the news of the approval is looked at',
      () =>
        system.rows("SELECT 1 FROM channel_events WHERE object_id = $1 AND state = 'processed'", [
          payment.channel_payment_no,
        ]),
      (rows) => rows.length > 0,
    );
    await expectEnded(payment, 'create executed', 'cancel executed');
    expect(await taken(payment)).toBe(0);
    expect(executed(await shop.books(idOf(payment)), 'capture_order')).toEqual([]);
  });
});

async function heldAt(fields: object = {}): Promise<Hold> {
  const open = await client.open({ channel: 'paypal', ...fields });
  await approve(open.channel_pre_auth_no);
  return client.waitFor(open.pre_auth_no, 'requires_capture');
}

const fault = ({ pre_auth_no: no }: Hold, operation: string, kind: string, more: object = {}) =>
  shop.fault(system.workflowId(no), operation, kind, more);
const booksOf = ({ pre_auth_no: no }: Hold) => shop.books(system.workflowId(no));
const callsOf = ({ pre_auth_no: no }: Hold) => shop.callsOf(no);

async function expectBooks(hold: Hold, money: { held: number; captured: number }) {
  const books = await booksOf(hold);
  expect(books.orders).toEqual([expect.objectContaining({ ...money, intent: 'AUTHORIZE' })]);
  return books;
}

async function attentionOf({ pre_auth_no: no }: Hold): Promise<string | null> {
  const [row] = await system.rows<{ needs_attention: string | null }>(
    'SELECT needs_attention FROM pre_auths WHERE pre_auth_no = $1',
    [no],
  );
  return row?.needs_attention ?? null;
}

/** The workflow knows it too, and takes an operator's word. */
const untilAttention = ({ pre_auth_no: no }: Hold) =>
  eventually(
    `${no} needs attention`,
    () => system.workflow(no).query<{ hold: { needsAttention: string | null } | null }>('state'),
    ({ hold }) => hold?.needsAttention != null,
  );

test('an approved order whose authorization is unknown when PayPal forgets it: an operator decides, and it ends', async () => {
  const open = await client.open({ channel: 'paypal', expires_in: 12 });
  await fault(open, 'authorize_order', 'error_before', { times: 100 });
  await approve(open.channel_pre_auth_no);
  await eventually(
    'our call is on its way',
    () => callsOf(open),
    (calls) => calls.includes('authorize open'),
  );
  await shop.setAhead(FORGOTTEN_MS);
  await untilAttention(open);
  await system.workflow(open.pre_auth_no).signal('settle', NOT_EXECUTED);
  await client.waitFor(open.pre_auth_no, 'expired');
  expect(await callsOf(open)).toEqual(['create executed', 'authorize not_executed', 'cancel executed']);
  expect(await attentionOf(open)).toBeNull();
  await expectBooks(open, { held: 0, captured: 0 });
});

describe('captured after the days in which PayPal honors a hold', () => {
  const capturedOnce = async (held: Hold, amount = AMOUNT) => {
    const books = await expectBooks(held, { held: 0, captured: amount });
    expect(executed(books, 'reauthorize')).toHaveLength(1);
    expect(executed(books, 'capture_authorization')).toHaveLength(1);
    expect(await callsOf(held)).toEqual(['create executed', 'authorize executed', 'capture executed']);
    expect(await eventTypesOf(system, held.pre_auth_no)).toEqual([
      'pre_auth.authorized',
      'pre_auth.captured',
    ]);
  };

  test('the hold is renewed and captured, under one call of ours', async () => {
    const held = await heldAt();
    await shop.setAhead(5 * DAY_MS);
    expect(await client.capture(held.pre_auth_no, { amount: 32_000 })).toMatchObject({
      status: 200,
      data: { status: 'succeeded', amount_captured: 32_000 },
    });
    await capturedOnce(held, 32_000);
  });

  test.each([
    ['reauthorize', 'timeout_after'],
    ['reauthorize', 'reset_before'],
    ['capture_authorization', 'timeout_after'],
    ['capture_authorization', 'error_before'],
  ])('the answer of %s is lost (%s): renewed once, taken once', async (operation, kind) => {
    const held = await heldAt();
    await shop.setAhead(5 * DAY_MS);
    await fault(held, operation, kind);
    expect([200, 202]).toContain((await client.capture(held.pre_auth_no)).status);
    await client.waitFor(held.pre_auth_no, 'succeeded');
    await capturedOnce(held);
  });

  test('a renewal that is declined is a declined capture; the hold can be captured later, and released', async () => {
    const [later, released] = [await heldAt(), await heldAt()];
    await shop.setAhead(5 * DAY_MS);
    await control('config', { reauthorizations: 'declined' });
    for (const { pre_auth_no: no } of [later, released]) {
      expect(await client.capture(no)).toMatchObject({
        code: 'CHANNEL_DECLINED',
        details: { decline_code: 'card_declined' },
      });
      expect((await client.get(no)).data).toMatchObject({
        status: 'requires_capture',
        amount_capturable: AMOUNT,
      });
    }
    await control('config', { reauthorizations: 'granted' });
    expect((await client.capture(later.pre_auth_no)).data.status).toBe('succeeded');
    await expectBooks(later, { held: 0, captured: AMOUNT });
    expect((await client.cancel(released.pre_auth_no)).data.status).toBe('canceled');
    await expectBooks(released, { held: 0, captured: 0 });
  });

  test('a renewal that is declined to a repeat says nothing of the capture that was sent before: taken once', async () => {
    const held = await heldAt();
    await shop.setAhead(5 * DAY_MS);
    await control('config', { reauthorizations: 'unsupported' });
    await fault(held, 'capture_authorization', 'slow', { delayMs: 7_000 });
    const capturing = client.capture(held.pre_auth_no);
    await eventually(
      'the renewal is refused, and the capture on its way',
      () => booksOf(held),
      ({ calls }) => calls.some(({ operation }) => operation === 'reauthorize'),
    );
    await control('config', { reauthorizations: 'declined' });
    await untilAttention(held);
    expect(await callsOf(held)).toEqual(['create executed', 'authorize executed', 'capture open']);
    await control('config', { reauthorizations: 'unsupported' });
    expect([200, 202]).toContain((await capturing).status);
    await client.waitFor(held.pre_auth_no, 'succeeded');
    const books = await expectBooks(held, { held: 0, captured: AMOUNT });
    expect(executed(books, 'capture_authorization')).toHaveLength(1);
    expect(await callsOf(held)).toEqual(['create executed', 'authorize executed', 'capture executed']);
    expect(await attentionOf(held)).toBeNull();
  });

  test('PayPal renews once: a capture that comes too late again is declined, and the hold is released', async () => {
    const held = await heldAt();
    await shop.setAhead(5 * DAY_MS);
    await fault(held, 'capture_authorization', 'error_before', { times: 3 });
    const capturing = client.capture(held.pre_auth_no);
    await eventually(
      'the hold is renewed',
      () => booksOf(held),
      (books) => executed(books, 'reauthorize').length === 1,
    );
    await shop.setAhead(9 * DAY_MS);
    expect(await capturing).toMatchObject({
      code: 'CHANNEL_DECLINED',
      details: { decline_code: 'fraud_suspected' },
    });
    expect((await client.cancel(held.pre_auth_no)).data.status).toBe('canceled');
    expect(executed(await expectBooks(held, { held: 0, captured: 0 }), 'reauthorize')).toHaveLength(1);
  });
});
