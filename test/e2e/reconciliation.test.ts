/** What was lost between us and a channel is found: read again where that helps, written down where it does not. */
import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import type { MerchantClient } from './merchant-client';
import { PaymentClient, paymentWorkflowId } from './payment-client';
import { RefundClient } from './refund-client';

let system: System;
let client: MerchantClient;
let payments: PaymentClient;

// The pick-up must not be first: what is repaired here, reconciliation has repaired.
beforeAll(async () => {
  const environment = { PICKUP_INTERVAL: '86400', RECONCILE_INTERVAL: '86400' };
  system = await startSystem({ environment });
  client = system.client();
  payments = new PaymentClient(client, system.sandbox.url);
});
afterAll(async () => {
  const schedule = system?.temporal.schedule.getHandle(`reconciliation/${system.taskQueue}`);
  await schedule?.delete().catch(() => undefined);
  await system?.stop();
});
afterEach(async () => {
  await system.sandbox.clearFaults();
  await system.sandbox.eventsMode({ pause: false });
});

/** One run, as the schedule starts it. @returns its summary */
function reconcile(): Promise<string> {
  return system.temporal.workflow.execute('reconciliation', {
    workflowId: `reconciliation/${randomUUID()}`,
    taskQueue: system.taskQueue,
    args: [3],
  });
}

interface Discrepancy {
  readonly id: string;
  readonly object_kind: string;
  readonly object_no: string;
  readonly field: string;
  readonly ours: string;
  readonly theirs: string;
  readonly state: string;
  readonly first_seen: string;
  readonly last_seen: string;
  readonly resolved_by: string | null;
}

async function discrepanciesOf(objectNo: string, query = ''): Promise<Discrepancy[]> {
  const { data } = await system.admin<{ items: Discrepancy[] }>(`discrepancies?limit=100${query}`);
  return data.items.filter((one) => one.object_no === objectNo);
}

async function workflowStatus(workflowId: string): Promise<string> {
  try {
    return (await system.temporal.workflow.getHandle(workflowId).describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'NOT_FOUND';
    throw error;
  }
}

it('tells live objects to read again whose news was lost', async () => {
  const hold = await client.open();
  const payment = await payments.open();
  await system.sandbox.eventsMode({ pause: true });
  await client.confirm(system.sandbox.url, hold);
  await payments.pay(payment);
  expect((await client.get(hold.pre_auth_no)).data.status).toBe('requires_payment_method');
  expect(await reconcile()).toContain('2 told to read again, 0 differing');
  await client.waitFor(hold.pre_auth_no, 'requires_capture');
  await payments.waitFor(payment.payment_no, 'success');
  expect(await discrepanciesOf(hold.pre_auth_no)).toEqual([]);
  expect(await discrepanciesOf(payment.payment_no)).toEqual([]);
});

it('gives live rows their workflow back that was terminated', async () => {
  const hold = await client.held(system.sandbox.url);
  const payment = await payments.open();
  const ids = [system.workflowId(hold.pre_auth_no), paymentWorkflowId(system, payment.payment_no)];
  for (const id of ids) await system.temporal.workflow.getHandle(id).terminate('by hand');
  expect(await Promise.all(ids.map(workflowStatus))).toEqual(['TERMINATED', 'TERMINATED']);
  await reconcile();
  expect(await Promise.all(ids.map(workflowStatus))).toEqual(['RUNNING', 'RUNNING']);
  expect((await client.capture(hold.pre_auth_no)).status).toBe(200);
});

it('gives them back although the channel is not there, and says what it skipped', async () => {
  const hold = await client.held(system.sandbox.url);
  const id = system.workflowId(hold.pre_auth_no);
  await system.temporal.workflow.getHandle(id).terminate('by hand');
  await system.sandbox.fault('retrieve', 'reset_before', { times: 100 });
  expect(await reconcile()).toMatch(
    /[1-9]\d* objects, 0 told to read again, 0 differing, 0 .* resolved, [1-9]\d* skipped/,
  );
  expect(await workflowStatus(id)).toBe('RUNNING');
  expect(await discrepanciesOf(hold.pre_auth_no)).toEqual([]);
});

it('writes down what differs of closed objects, once, and never changes them', async () => {
  const hold = await client.held(system.sandbox.url);
  expect((await client.capture(hold.pre_auth_no, { amount: 20_000 })).status).toBe(200);
  const payment = await payments.open();
  await payments.pay(payment);
  const { channel_payment_no: intent } = await payments.waitFor(payment.payment_no, 'success');
  await system.sandbox.eventsMode({ pause: true });
  await system.sandbox.post(`payment_intents/${intent}/refund-by-dashboard`, { amount: 700 });
  await system.db.query('UPDATE pre_auths SET amount_captured = 19000 WHERE pre_auth_no = $1', [
    hold.pre_auth_no,
  ]);
  const rows = () =>
    system.rows(
      `SELECT version, status, amount_captured AS amount FROM pre_auths WHERE pre_auth_no = $1
       UNION ALL SELECT version, status, amount_paid FROM payments WHERE payment_no = $2`,
      [hold.pre_auth_no, payment.payment_no],
    );
  const before = await rows();
  // Two at once, and another one afterwards: the same rows.
  await Promise.all([reconcile(), reconcile()]);
  const [ofHold, ...others] = await discrepanciesOf(hold.pre_auth_no, '&state=open&channel=stripe');
  expect(others).toEqual([]);
  expect(ofHold).toMatchObject({ field: 'amount_captured', ours: '19000', theirs: '20000', state: 'open' });
  const [ofPayment] = await discrepanciesOf(payment.payment_no);
  expect(ofPayment).toMatchObject({
    object_kind: 'payment',
    field: 'amount_refunded',
    ours: '0',
    theirs: '700',
  });
  expect(await reconcile()).toContain(' 2 differing');
  const [again, ...more] = await discrepanciesOf(hold.pre_auth_no);
  expect(more).toEqual([]);
  expect(again).toEqual({ ...ofHold, last_seen: again?.last_seen });
  expect(new Date(again?.last_seen ?? 0) > new Date(ofHold?.last_seen ?? 0)).toBe(true);
  expect(await rows()).toEqual(before);

  // Put right, it is resolved by the next run; what an operator has settled stays settled.
  await system.db.query('UPDATE pre_auths SET amount_captured = 20000 WHERE pre_auth_no = $1', [
    hold.pre_auth_no,
  ]);
  const note = { by: 'ann', reason: 'the bank has confirmed it' };
  const resolved = await system.admin<Discrepancy>(`discrepancies/${ofPayment?.id}/resolve`, { body: note });
  expect(resolved).toMatchObject({ status: 200, data: { state: 'resolved', resolved_by: 'ann' } });
  await reconcile();
  expect(await discrepanciesOf(hold.pre_auth_no)).toMatchObject([{ state: 'resolved', resolved_by: null }]);
  expect(await discrepanciesOf(payment.payment_no)).toMatchObject([
    { state: 'resolved', resolved_by: 'ann' },
  ]);
  const notes = await system.rows<{ data: object }>(
    `SELECT data FROM payment_events WHERE object_no = $1 AND type = 'discrepancy.resolved'`,
    [payment.payment_no],
  );
  expect(notes).toEqual([{ data: { ...note, field: 'amount_refunded', ours: '0', theirs: '700' } }]);
  // Until one of the two sides changes: then it is open again.
  await system.sandbox.post(`payment_intents/${intent}/refund-by-dashboard`, { amount: 300 });
  await reconcile();
  expect(await discrepanciesOf(payment.payment_no)).toMatchObject([{ state: 'open', theirs: '1000' }]);
});

it('finds a refund of a captured hold that was made by hand and never told', async () => {
  const object = await new RefundClient(client, system.sandbox.url).paid('pre_auth');
  await system.sandbox.eventsMode({ pause: true });
  await system.sandbox.post(`payment_intents/${object.channelNo}/refund-by-dashboard`, { amount: 700 });
  await reconcile();
  expect(await discrepanciesOf(object.no)).toMatchObject([
    { object_kind: 'pre_auth', field: 'amount_refunded', ours: '0', theirs: '700' },
  ]);
});

it('compares refunds one by one', async () => {
  const refunds = new RefundClient(client, system.sandbox.url);
  const object = await refunds.paid('pre_auth');
  const { data } = await refunds.refund(object, { amount: 20_000 });
  expect(data.status).toBe('success');
  await reconcile();
  expect(await discrepanciesOf(data.refund_no)).toEqual([]);
  await system.db.query('UPDATE refunds SET amount = 19999 WHERE refund_no = $1', [data.refund_no]);
  await reconcile();
  expect(await discrepanciesOf(data.refund_no)).toMatchObject([
    { object_kind: 'refund', field: 'amount', ours: '19999', theirs: '20000' },
  ]);
});

const COPIES = 150;

it('leaves a channel that is away, and looks at everything once it is back', async () => {
  const hold = await client.held(system.sandbox.url);
  expect((await client.capture(hold.pre_auth_no)).status).toBe(200);
  await system.db.query(
    `INSERT INTO pre_auths (merchant_id, pre_auth_no, order_no, world, channel, channel_account_id, channel_pre_auth_no, currency,
       amount, amount_captured, status, body_hash, expires_at, closed_at, owner_checked_at)
     SELECT merchant_id, 'COPY-' || n, order_no, world, channel, channel_account_id, 'pi_' || n, currency, amount, amount_captured,
       status, body_hash, expires_at, closed_at, now() + interval '1 day'
     FROM pre_auths, generate_series(1, $2) n WHERE pre_auth_no = $1`,
    [hold.pre_auth_no, COPIES],
  );
  const found = () =>
    system.rows(`SELECT 1 FROM discrepancies WHERE object_no LIKE 'COPY-%' AND field = 'object'`);
  await system.sandbox.fault('retrieve', 'reset_before', { times: 10_000 });
  const [, seen] = /: (\d+) objects/.exec(await reconcile()) ?? [];
  expect(Number(seen)).toBeGreaterThanOrEqual(20);
  expect(Number(seen)).toBeLessThan(30);
  expect(await found()).toHaveLength(0);
  await system.sandbox.clearFaults();
  await reconcile();
  expect(await found()).toHaveLength(COPIES);
});

it('is started by a schedule of its own', async () => {
  const schedule = await eventually(
    'the schedule is there',
    () => system.temporal.schedule.getHandle(`reconciliation/${system.taskQueue}`).describe(),
    ({ action }) => action.type === 'startWorkflow',
  );
  expect(schedule.action).toMatchObject({ workflowType: 'reconciliation', args: [3] });
  expect(schedule.policies.overlap).toBe('SKIP');
});
