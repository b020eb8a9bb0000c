/** A channel that misbehaves on refunds, workers that die, refunds that come back: one refund each, and the books agree. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultKind } from '../../dev/stripe-sandbox/faults';
import type { RefundState } from '../../src/workflows/messages';
import { eventually, SECRETS, startSystem } from './harness';
import type { System } from './harness';
import {
  bookedRefunds,
  callsOf,
  expectRefundAgreement,
  KINDS,
  objectRow,
  PAID,
  RefundClient,
  refundEventsOf,
  refundWorkflowId,
} from './refund-client';

const FAULTS: readonly FaultKind[] = [
  'error_before',
  'error_after',
  'error_stored_not_executed',
  'timeout_after',
  'reset_before',
  'reset_after',
  'slow',
];
/** Beyond CHANNEL_TIMEOUT, so that the first try ends without an answer. */
const SLOW_MS = 3_000;

let system: System;
let client: RefundClient;

beforeAll(async () => {
  // Nobody is answered 202 because the machine is busy: some ask for what an operator's word comes to.
  const environment = { API_WAIT_TIMEOUT: '60' };
  system = await startSystem({ sandbox: 'process', stripeKeys: [SECRETS.stripeKey], environment });
  client = new RefundClient(system.client(), system.sandbox.url);
});
afterAll(() => system?.stop());
afterEach(() => system.sandbox.clearFaults());

/** A fault that concerns this refund only. The SDK repeats a reset by itself, so one alone would never be seen. */
function strike(fault: FaultKind, refundNo: string, times?: number): Promise<unknown> {
  const holdfastId = refundWorkflowId(system, refundNo);
  const often = times ?? (fault.startsWith('reset') ? 2 : 1);
  return system.sandbox.fault('refund', fault, { times: often, delayMs: SLOW_MS, holdfastId });
}

it.each(KINDS)(
  'comes to the right end whatever goes wrong: %s',
  async (kind) => {
    await Promise.all(
      FAULTS.map(async (fault) => {
        const object = await client.paid(kind);
        const wish = client.numbered({ amount: 20_000 });
        await strike(fault, wish.refund_no);
        const reply = await client.refund(object, wish);
        expect([201, 202]).toContain(reply.status);
        await client.waitFor(wish.refund_no, 'success');
        expect(await bookedRefunds(system, object)).toHaveLength(1);
        await expectRefundAgreement(system, object);
        expect(await refundEventsOf(system, wish.refund_no)).toEqual(['refund.success']);
        // A new key only where the first was proved not executed.
        const keys = fault === 'error_stored_not_executed' ? 2 : 1;
        expect(await callsOf(system, wish.refund_no)).toHaveLength(keys);
      }),
    );
  },
  90_000,
);

it('looks at the list before it sends a key again', async () => {
  const object = await client.paid('payment');
  const wish = client.numbered({ amount: 100 });
  await strike('timeout_after', wish.refund_no);
  await client.refund(object, wish);
  await client.waitFor(wish.refund_no, 'success');
  const { calls } = await system.sandbox.books();
  const sent = calls.filter(
    ({ operation, holdfast_id: id }) =>
      operation === 'refund' && id === refundWorkflowId(system, wish.refund_no),
  );
  expect(sent.map(({ executed }) => executed)).toEqual([true]);
  expect(await callsOf(system, wish.refund_no)).toMatchObject([{ attempts: 1, state: 'executed' }]);
});

it('keeps the reservation while nobody knows, and goes on when the channel is back', async () => {
  const object = await client.paid('payment');
  const wish = client.numbered({ amount: 30_000 });
  await strike('error_before', wish.refund_no, 1_000);
  const pending = client.refund(object, wish);
  await eventually(
    'the refund was sent',
    () => callsOf(system, wish.refund_no),
    ([call]) => (call?.attempts ?? 0) > 1,
  );
  expect((await objectRow(system, object)).refund_reserved).toBe(30_000);
  expect(await client.refund(object, { amount: 20_001 })).toMatchObject({ code: 'REFUND_EXCEEDS_PAID' });
  expect(await client.refund(object, { amount: 20_000 })).toMatchObject({ status: 201 });
  await system.sandbox.clearFaults();
  expect([201, 202]).toContain((await pending).status);
  await client.waitFor(wish.refund_no, 'success');
  await expectRefundAgreement(system, object);
});

it('answers 202 with the address when the channel is slow', async () => {
  const api = await system.startApi({ API_WAIT_TIMEOUT: '1' });
  const impatient = new RefundClient(system.client(system.merchant, api), system.sandbox.url);
  const object = await client.paid('payment');
  const wish = client.numbered();
  await strike('slow', wish.refund_no);
  const reply = await impatient.refund(object, wish);
  expect(reply).toMatchObject({
    status: 202,
    data: { status: 'pending', channel_refund_no: null, amount: PAID },
  });
  expect(reply.headers.get('location')).toBe(`/api/v1/refunds/${wish.refund_no}`);
  await client.waitFor(wish.refund_no, 'success');
  expect(await client.refund(object, wish)).toMatchObject({ status: 200, data: { status: 'success' } });
  await expectRefundAgreement(system, object);
});

describe('beyond the channel’s horizon', () => {
  /** A refund whose answer was lost, and so long ago that its key must not be sent again. */
  async function lost(fault: FaultKind) {
    const object = await client.paid('payment');
    const wish = client.numbered({ amount: 10_000 });
    await system.sandbox.fault('list_refunds', 'error_before', {
      times: 1_000,
      paymentIntent: object.channelNo,
    });
    await strike(fault, wish.refund_no, 1_000);
    const asking = client.refund(object, wish);
    await eventually(
      'it was sent',
      () => callsOf(system, wish.refund_no),
      ([call]) => (call?.attempts ?? 0) > 0,
    );
    await system.rows(
      `UPDATE channel_calls SET created_at = created_at - interval '24 hours' WHERE object_kind = 'refund' AND object_no = $1`,
      [wish.refund_no],
    );
    const handle = system.temporal.workflow.getHandle(refundWorkflowId(system, wish.refund_no));
    await handle.signal('resync');
    await eventually(
      'an operator is asked',
      () => handle.query<RefundState>('state'),
      ({ refund }) => refund?.needsAttention !== null,
    );
    return { object, wish, handle, asking };
  }

  it('asks an operator, whose word is kept, and never sends again', async () => {
    const { object, wish, handle, asking } = await lost('error_before');
    await handle.signal('settle', { by: 'ops', reason: 'none in the dashboard', outcome: 'perhaps' });
    await handle.signal('settle', { by: 'ops', reason: 'none in the dashboard', outcome: 'not_executed' });
    await client.waitFor(wish.refund_no, 'failed');
    expect(await asking).toMatchObject({ status: 402, details: { decline_code: 'not_executed' } });
    const notes = await system.rows(
      `SELECT type, data FROM payment_events WHERE object_no = $1 AND sequence < 0`,
      [wish.refund_no],
    );
    expect(notes).toMatchObject([
      {
        type: 'operator.settled',
        data: { by: 'ops', reason: 'none in the dashboard', outcome: 'not_executed' },
      },
    ]);
    await system.sandbox.clearFaults();
    await expectRefundAgreement(system, object);
    expect((await objectRow(system, object)).refund_reserved).toBe(0);
  });

  it('settles by itself when the list can be read again', async () => {
    const { object, wish, handle, asking } = await lost('timeout_after');
    await system.sandbox.clearFaults();
    await handle.signal('resync');
    await client.waitFor(wish.refund_no, 'success');
    await asking;
    await expectRefundAgreement(system, object);
    const [row] = await system.rows('SELECT needs_attention FROM refunds WHERE refund_no = $1', [
      wish.refund_no,
    ]);
    expect(row).toEqual({ needs_attention: null });
  });
});

it('finds the refund that was made before the worker died', async () => {
  const object = await client.paid('payment');
  const wish = client.numbered({ amount: 20_000 });
  await strike('timeout_after', wish.refund_no);
  const asking = client.refund(object, wish);
  await eventually(
    'executed',
    () => bookedRefunds(system, object),
    (refunds) => refunds.length === 1,
  );
  await system.workers[0]?.kill();
  await system.startWorker();
  await client.waitFor(wish.refund_no, 'success');
  expect([201, 202]).toContain((await asking).status);
  expect(await bookedRefunds(system, object)).toHaveLength(1);
  await expectRefundAgreement(system, object);
}, 120_000);

it('starts the workflow of a refund that has none', async () => {
  const object = await client.paid('payment');
  // As an API leaves it that dies after its commit.
  await system.sandbox.config({ refundSettleMs: 3_600_000 });
  const { data } = await client.refund(await client.paid('payment', 'pm_card_pendingRefund'), {
    amount: 100,
  });
  const handle = system.temporal.workflow.getHandle(refundWorkflowId(system, data.refund_no));
  await handle.terminate('a test');
  await sleep(500);
  await system.sandbox.post(`refunds/${data.channel_refund_no}/settle`, { outcome: 'succeeded' });
  await client.waitFor(data.refund_no, 'success');
  await expectRefundAgreement(system, object);
});

it('a refund that comes back after it had succeeded is failed, and can be made again', async () => {
  await system.sandbox.config({ refundSettleMs: 3_600_000 });
  const object = await client.paid('payment', 'pm_card_refundFail');
  const { data } = await client.refund(object);
  expect(data.status).toBe('success');
  await system.sandbox.post(`refunds/${data.channel_refund_no}/settle`, { outcome: 'failed' });
  const failed = await client.waitFor(data.refund_no, 'failed');
  expect(failed).toMatchObject({ decline_code: 'lost_or_stolen_card' });
  expect(await refundEventsOf(system, data.refund_no)).toEqual(['refund.success', 'refund.failed']);
  expect((await objectRow(system, object)).refund_reserved).toBe(0);
  await expectRefundAgreement(system, object);
  expect(await client.refund(object, { amount: 100 })).toMatchObject({ status: 201 });
});
