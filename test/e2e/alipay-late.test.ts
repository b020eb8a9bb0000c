/** At Alipay nobody can close what its customer has not opened: money that is paid or frozen after the end is found. */
import { randomUUID } from 'node:crypto';
import type { Hold } from '../../dev/demo-client';
import type { PreAuthState } from '../../src/workflows/messages';
import { AlipayShop, outNoOf } from './alipay-client';
import { eventTypesOf } from './checks';
import { eventually } from './harness';
import type { PaymentView } from './payment-client';

const AMOUNT = 50_000;

let shop: AlipayShop;

beforeAll(async () => {
  shop = await AlipayShop.open({ RECONCILE_INTERVAL: '86400' });
});
afterAll(() => shop?.close());
afterEach(async () => {
  await shop.control('events-mode', { duplicate: false, pause: false });
});

const NUMBER = { payments: 'payment_no', pre_auths: 'pre_auth_no' } as const;

/** The look that the pick-up takes once an object is closed is over: what comes now must be found in another way. */
async function lookedAt(table: keyof typeof NUMBER, objectNo: string): Promise<void> {
  await eventually(
    'the pick-up has looked at the closed object',
    () =>
      shop.system.rows<{ seen: boolean }>(
        `SELECT owner_checked_at > closed_at AS seen FROM ${table} WHERE ${NUMBER[table]} = $1`,
        [objectNo],
      ),
    ([row]) => row?.seen === true,
    30_000,
  );
}

const reconcile = () =>
  shop.system.temporal.workflow.execute<() => Promise<string>>('reconciliation', {
    workflowId: `reconciliation/${randomUUID()}`,
    taskQueue: shop.system.taskQueue,
    args: [3] as never,
  });

const discrepanciesOf = (objectNo: string) =>
  shop.system.rows('SELECT field, ours, theirs FROM discrepancies WHERE object_no = $1', [objectNo]);

describe('a payment that was closed here while its customer paid', () => {
  /** What is left when the money came between our last look and the end of its time at Alipay, and its news was lost. */
  async function closedThough(payment: PaymentView, isSeen: boolean): Promise<void> {
    await lookedAt('payments', payment.payment_no);
    await shop.system.db.query(
      `UPDATE payments SET status = 'expired', amount_paid = 0,
         owner_checked_at = CASE WHEN $2 THEN owner_checked_at ELSE closed_at END
       WHERE payment_no = $1`,
      [payment.payment_no, isSeen],
    );
  }

  const lateOf = ({ payment_no: no }: PaymentView) =>
    shop.system.rows('SELECT kind, amount, state FROM late_payments WHERE object_no = $1', [no]);
  const late = { kind: 'late', amount: AMOUNT, state: 'needs_attention' };

  it('is read once more, and its money is late', async () => {
    const payment = await shop.paid();
    await closedThough(payment, false);
    await eventually(
      'its money is written down',
      () => lateOf(payment),
      (rows) => rows.length > 0,
    );
    expect(await lateOf(payment)).toEqual([late]);
    expect(await eventTypesOf(shop.system, payment.payment_no)).toContain('payment.late_paid');
  });

  it('is found by reconciliation afterwards', async () => {
    const payment = await shop.paid();
    await closedThough(payment, true);
    expect(await lateOf(payment)).toEqual([]);
    for (const run of [' 1 told to read again', ' 0 told to read again']) {
      expect(await reconcile()).toContain(run);
      expect(await lateOf(payment)).toEqual([late]);
    }
    expect(await discrepanciesOf(payment.payment_no)).toEqual([]);
    expect(await eventTypesOf(shop.system, payment.payment_no)).toContain('payment.late_paid');
  });
});

describe('money frozen for a hold that has ended', () => {
  const authOf = async ({ channel_pre_auth_no: no }: Hold) =>
    (await shop.books()).auths.find(({ outOrderNo }) => outOrderNo === outNoOf(no));

  const callsOf = ({ pre_auth_no: no }: Hold) =>
    shop.system.rows<{ command_id: string; state: string }>(
      `SELECT command_id, state FROM channel_calls WHERE object_no = $1 AND operation = 'cancel' ORDER BY n`,
      [no],
    );

  async function canceled(): Promise<Hold> {
    const hold = await shop.openHold();
    expect((await shop.merchant.cancel(hold.pre_auth_no)).status).toBe(200);
    return hold;
  }

  /** Unfrozen once, by one call; the hold is what it was, and its merchant has heard of nothing else. */
  async function expectReleased(hold: Hold, status: 'canceled' | 'expired'): Promise<void> {
    await eventually(
      'it is released',
      () => callsOf(hold),
      (calls) => calls.some((call) => call.command_id === 'late/release' && call.state === 'executed'),
      30_000,
    );
    const auth = await authOf(hold);
    expect(auth).toMatchObject({ status: 'CLOSED', paid: 0, unfrozen: AMOUNT });
    expect(auth?.unfreezes).toHaveLength(1);
    const calls = await callsOf(hold);
    expect(calls.filter(({ command_id: id }) => id === 'late/release')).toHaveLength(1);
    expect(calls.filter(({ state }) => state === 'open')).toEqual([]);
    expect((await shop.merchant.get(hold.pre_auth_no)).data).toMatchObject({ status, amount_capturable: 0 });
    expect(await eventTypesOf(shop.system, hold.pre_auth_no)).toEqual([`pre_auth.${status}`]);
    const [note] = await shop.system.rows<{ data: object }>(
      `SELECT data FROM payment_events WHERE object_no = $1 AND type = 'channel.held_late'`,
      [hold.pre_auth_no],
    );
    expect(note?.data).toMatchObject({ amount: AMOUNT });
  }

  it('is released when Alipay tells of it, after a cancel', async () => {
    const hold = await canceled();
    await lookedAt('pre_auths', hold.pre_auth_no);
    await shop.control('events-mode', { duplicate: true });
    await shop.freeze(hold);
    await expectReleased(hold, 'canceled');
    expect((await shop.merchant.capture(hold.pre_auth_no)).code).toBe('PRE_AUTH_CLOSED');
  });

  it('is released when Alipay tells of it, after the expiry', async () => {
    const hold = await shop.openHold({ expires_in: 1 });
    await shop.merchant.waitFor(hold.pre_auth_no, 'expired');
    await shop.freeze(hold);
    await expectReleased(hold, 'expired');
  });

  it('is released once, also when the answer to that is lost', async () => {
    const hold = await canceled();
    const match = { operation: 'fund.auth.order.unfreeze', number: outNoOf(hold.channel_pre_auth_no) };
    await shop.control('faults', { match, fault: 'reset_after' });
    await shop.freeze(hold);
    await expectReleased(hold, 'canceled');
  });

  it('is found without any news of it, when the customer was as quick as the cancel', async () => {
    await shop.control('events-mode', { pause: true });
    const hold = await canceled();
    await shop.freeze(hold);
    await expectReleased(hold, 'canceled');
  });

  /** A release that Alipay leaves without an answer beyond its horizon, and the operator who is called. */
  async function releaseInDoubt() {
    const hold = await canceled();
    await lookedAt('pre_auths', hold.pre_auth_no);
    const match = { operation: 'fund.auth.order.unfreeze', number: outNoOf(hold.channel_pre_auth_no) };
    await shop.control('faults', { match, fault: 'unknown_before', times: 1_000 });
    await shop.freeze(hold);
    await eventually(
      'its release was sent',
      () =>
        shop.system.rows<{ attempts: number }>(
          `SELECT attempts FROM channel_calls WHERE object_no = $1 AND command_id = 'late/release'`,
          [hold.pre_auth_no],
        ),
      ([call]) => (call?.attempts ?? 0) > 0,
      30_000,
    );
    await shop.system.db.query(
      `UPDATE channel_calls SET created_at = created_at - interval '91 days' WHERE object_no = $1 AND command_id = 'late/release'`,
      [hold.pre_auth_no],
    );
    const workflow = shop.system.temporal.workflow.getHandle(shop.system.workflowId(hold.pre_auth_no));
    await workflow.signal('resync');
    const needsOperator = (isNeeded: boolean) =>
      eventually(
        `an operator is ${isNeeded ? '' : 'not '}needed`,
        () => workflow.query<PreAuthState>('state'),
        (state) => (state.hold?.needsAttention != null) === isNeeded,
        30_000,
      );
    await needsOperator(true);
    return { hold, workflow, needsOperator };
  }

  const settled = (outcome: string) => ({ by: 'ops', reason: 'seen there', outcome });

  it('needs an operator, when the outcome of its release stays unknown', async () => {
    const { hold, workflow, needsOperator } = await releaseInDoubt();
    expect(await reconcile()).toContain(' 0 told to read again');
    expect(await discrepanciesOf(hold.pre_auth_no)).not.toEqual([]);
    await workflow.signal('settle', settled('not_executed'));
    await needsOperator(false);
    await fetch(`${shop.alipay.url}/_control/faults`, { method: 'DELETE' });
    await reconcile();
    await eventually(
      'the next release is done',
      () => callsOf(hold),
      (calls) => calls.some((call) => call.command_id === 'late/release' && call.state === 'executed'),
      30_000,
    );
    expect(await authOf(hold)).toMatchObject({ status: 'CLOSED', paid: 0, unfrozen: AMOUNT });
  });

  it('leaves the closed hold as it was, however the doubt ends', async () => {
    const rowOf = (hold: Hold) =>
      shop.system.rows('SELECT closed_at, cancel_reason, status FROM pre_auths WHERE pre_auth_no = $1', [
        hold.pre_auth_no,
      ]);
    const endings = ['released by hand', 'executed', 'not_executed'].map(async (ending) => {
      const { hold, workflow, needsOperator } = await releaseInDoubt();
      const before = await rowOf(hold);
      if (ending === 'released by hand') {
        await shop.control('release-by-deadline', { out_order_no: outNoOf(hold.channel_pre_auth_no) });
        await workflow.signal('resync');
      } else {
        await workflow.signal('settle', settled(ending));
      }
      await needsOperator(false);
      expect(await rowOf(hold)).toEqual(before);
    });
    await Promise.all(endings);
    await fetch(`${shop.alipay.url}/_control/faults`, { method: 'DELETE' });
  });

  it('is found by reconciliation, when the news of it is lost', async () => {
    const hold = await canceled();
    await lookedAt('pre_auths', hold.pre_auth_no);
    await reconcile();
    // What nobody has opened cannot be closed at Alipay, and is no difference.
    expect(await discrepanciesOf(hold.pre_auth_no)).toEqual([]);
    await shop.control('events-mode', { pause: true });
    await shop.freeze(hold);
    expect(await authOf(hold)).toMatchObject({ status: 'AUTHORIZED', unfrozen: 0 });
    expect(await reconcile()).toContain(' 1 told to read again');
    await expectReleased(hold, 'canceled');
    await reconcile();
    expect(await discrepanciesOf(hold.pre_auth_no)).toEqual([]);
  });
});
