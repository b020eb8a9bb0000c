/**
 * Holds at PayPal: the customer approves on PayPal's page, and a call of ours reserves the money. Rows, events and
 * PayPal's books must tell the same.
 */
import type { Books } from '../../dev/paypal-sandbox/books';
import type { Hold } from '../../dev/demo-client';
import { eventsOf, eventTypesOf } from './checks';
import { eventually } from './eventually';
import type { System } from './harness';
import type { MerchantClient } from './merchant-client';
import { executed, HOUR_MS, startPayPalShop } from './paypal-shop';
import type { PayPalShop } from './paypal-shop';

const AMOUNT = 50_000;

let shop: PayPalShop;
let system: System;
let client: MerchantClient;

beforeAll(async () => {
  shop = await startPayPalShop();
  system = shop.system;
  client = system.client();
});
afterEach(() => shop.restore());
afterAll(() => shop?.stop());

const control = (path: string, body: object = {}) => shop.control(path, body);

const openHold = (fields: object = {}) => client.open({ channel: 'paypal', ...fields });

const approve = ({ channel_pre_auth_no: order }: Hold, how: object = {}) =>
  control(`orders/${order}/approve`, how);

async function heldAt(fields: object = {}): Promise<Hold> {
  const open = await openHold(fields);
  await approve(open);
  return client.waitFor(open.pre_auth_no, 'requires_capture');
}

const fault = ({ pre_auth_no: no }: Hold, operation: string, kind: string, more: object = {}) =>
  shop.fault(system.workflowId(no), operation, kind, more);
const booksOf = ({ pre_auth_no: no }: Hold) => shop.books(system.workflowId(no));
const callsOf = ({ pre_auth_no: no }: Hold) => shop.callsOf(no);
const authorizations = (books: Books) => executed(books, 'authorize_order');

/** The customer approves with a means that is declined, and is at PayPal's page again. */
async function declinedOnce(hold: Hold): Promise<void> {
  await approve(hold, { means: 'declined' });
  await eventually(
    'the decline is known',
    () => callsOf(hold),
    (calls) => calls.includes('authorize declined'),
  );
  await client.waitFor(hold.pre_auth_no, 'requires_action');
}

async function expectBooks(hold: Hold, money: { held: number; captured: number }): Promise<Books> {
  const books = await booksOf(hold);
  expect(books.orders).toHaveLength(1);
  expect(books.orders[0]).toMatchObject({ ...money, intent: 'AUTHORIZE' });
  return books;
}

test('approved, authorized by our call, captured in part, the rest released', async () => {
  const open = await openHold();
  expect(open).toMatchObject({ status: 'requires_action', next_action: { type: 'redirect' } });
  await expectBooks(open, { held: 0, captured: 0 });
  expect(await client.capture(open.pre_auth_no)).toMatchObject({ code: 'PRE_AUTH_NOT_CAPTURABLE' });

  await approve(open);
  const held = await client.waitFor(open.pre_auth_no, 'requires_capture');
  expect(held).toMatchObject({ amount: AMOUNT, amount_capturable: AMOUNT, amount_captured: 0 });
  await expectBooks(open, { held: AMOUNT, captured: 0 });

  const captured = await client.capture(open.pre_auth_no, { amount: 32_000 });
  expect(captured).toMatchObject({ status: 200, data: { status: 'succeeded', amount_captured: 32_000 } });
  const books = await expectBooks(open, { held: 0, captured: 32_000 });
  expect(authorizations(books)).toHaveLength(1);
  expect(await callsOf(open)).toEqual(['create executed', 'authorize executed', 'capture executed']);
  expect(await eventTypesOf(system, open.pre_auth_no)).toEqual(['pre_auth.authorized', 'pre_auth.captured']);
  expect((await eventsOf(system, open.pre_auth_no)).at(-1)?.data).toMatchObject({ amount_released: 18_000 });
});

test('a cancel voids the authorization', async () => {
  const held = await heldAt();
  expect(await client.cancel(held.pre_auth_no)).toMatchObject({
    status: 200,
    data: { status: 'canceled', amount_released: AMOUNT },
  });
  await expectBooks(held, { held: 0, captured: 0 });
  expect(await eventTypesOf(system, held.pre_auth_no)).toEqual(['pre_auth.authorized', 'pre_auth.canceled']);
});

test('an approval after the cancel holds nothing', async () => {
  const open = await openHold();
  expect((await client.cancel(open.pre_auth_no)).data.status).toBe('canceled');
  await approve(open);
  await eventually(
    'the news of the approval is looked at',
    () =>
      system.rows("SELECT 1 FROM channel_events WHERE object_id = $1 AND state = 'processed'", [
        open.channel_pre_auth_no,
      ]),
    (rows) => rows.length > 0,
  );
  expect(authorizations(await expectBooks(open, { held: 0, captured: 0 }))).toEqual([]);
});

test('what is held when its time is over is released', async () => {
  const held = await heldAt({ expires_in: 4 });
  await expectBooks(held, { held: AMOUNT, captured: 0 });
  expect(await client.waitFor(held.pre_auth_no, 'expired')).toMatchObject({ amount_capturable: 0 });
  await expectBooks(held, { held: 0, captured: 0 });
  expect((await eventTypesOf(system, held.pre_auth_no)).at(-1)).toBe('pre_auth.expired');
});

test.each(['timeout_after', 'reset_after', 'error_after', 'error_before', 'reset_before'])(
  'the answer to our call is lost (%s): the money is held once',
  async (kind) => {
    const open = await openHold();
    await fault(open, 'authorize_order', kind);
    await approve(open);
    await client.waitFor(open.pre_auth_no, 'requires_capture');
    const books = await expectBooks(open, { held: AMOUNT, captured: 0 });
    expect(authorizations(books)).toHaveLength(1);
    expect(await callsOf(open)).toEqual(['create executed', 'authorize executed']);
    expect(await eventTypesOf(system, open.pre_auth_no)).toEqual(['pre_auth.authorized']);
  },
);

test('a cancel while the answer is lost waits for it, and then voids', async () => {
  const open = await openHold();
  await fault(open, 'authorize_order', 'timeout_after');
  await approve(open);
  await eventually(
    'our call is on its way',
    () => callsOf(open),
    (calls) => calls.includes('authorize open'),
  );
  await system.workflow(open.pre_auth_no).signal('cancel', { by: 'operator', reason: 'changed its mind' });
  await client.waitFor(open.pre_auth_no, 'canceled');
  expect(authorizations(await expectBooks(open, { held: 0, captured: 0 }))).toHaveLength(1);
  expect(await callsOf(open)).toEqual(['create executed', 'authorize executed', 'cancel executed']);
});

test('the workflow is lost while the answer is: the next run holds the money once', async () => {
  const open = await openHold();
  await fault(open, 'authorize_order', 'timeout_after');
  await approve(open);
  await eventually(
    'our call is on its way',
    () => callsOf(open),
    (calls) => calls.includes('authorize open'),
  );
  await system.workflow(open.pre_auth_no).terminate('the test');
  await client.waitFor(open.pre_auth_no, 'requires_capture');
  expect(authorizations(await expectBooks(open, { held: AMOUNT, captured: 0 }))).toHaveLength(1);
  expect(await callsOf(open)).toEqual(['create executed', 'authorize executed']);
});

test('a workflow that is lost after a decline: the next run tries what is approved since', async () => {
  const open = await openHold();
  await declinedOnce(open);
  await control('events-mode', { pause: true });
  await approve(open);
  // As the row is when a crash comes between the news and our call.
  await system.rows("UPDATE pre_auths SET status = 'requires_confirmation' WHERE pre_auth_no = $1", [
    open.pre_auth_no,
  ]);
  await system.workflow(open.pre_auth_no).terminate('the test');
  // Nobody has news for it, and the next run looks at what is there before it waits.
  await client.waitFor(open.pre_auth_no, 'requires_capture');
});

test('a means that is declined leaves the hold open, and another approval holds the money', async () => {
  const open = await openHold();
  await declinedOnce(open);
  expect(await callsOf(open)).toEqual(['create executed', 'authorize declined']);
  await expectBooks(open, { held: 0, captured: 0 });
  await approve(open);
  await client.waitFor(open.pre_auth_no, 'requires_capture');
  expect(authorizations(await expectBooks(open, { held: AMOUNT, captured: 0 }))).toHaveLength(1);
  expect(await callsOf(open)).toEqual(['create executed', 'authorize declined', 'authorize executed']);
  expect(await eventTypesOf(system, open.pre_auth_no)).toEqual(['pre_auth.authorized']);
});

test('events that never come: a resync finds the approval', async () => {
  const open = await openHold();
  await control('events-mode', { pause: true });
  await approve(open);
  expect((await client.get(open.pre_auth_no)).data.status).toBe('requires_action');
  await system.workflow(open.pre_auth_no).signal('resync');
  await client.waitFor(open.pre_auth_no, 'requires_capture');
});

test('an order that nobody approved is forgotten by PayPal: its release is done, and nobody has to look', async () => {
  const [expiring, canceled] = [await openHold({ expires_in: 5 }), await openHold()];
  // A means that was declined holds nothing either.
  await declinedOnce(canceled);
  await shop.setAhead(4 * HOUR_MS);
  expect(await client.cancel(canceled.pre_auth_no)).toMatchObject({
    status: 200,
    data: { status: 'canceled', amount_released: AMOUNT },
  });
  await client.waitFor(expiring.pre_auth_no, 'expired');
  const rows = await system.rows(
    'SELECT DISTINCT needs_attention FROM pre_auths WHERE pre_auth_no = ANY($1)',
    [[expiring.pre_auth_no, canceled.pre_auth_no]],
  );
  expect(rows).toEqual([{ needs_attention: null }]);
});
