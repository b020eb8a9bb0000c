/** Payments whose channel, worker or Temporal misbehaves: nothing is paid twice, nothing is lost. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultKind } from '../../dev/stripe-sandbox/faults';
import { eventTypesOf, findUnprovedKeys } from './checks';
import { eventually, SOAK, startSystem } from './harness';
import type { System } from './harness';
import {
  expectPaymentAgreement,
  PaymentClient,
  paymentOf,
  PAYMENT_SETTINGS,
  paymentWorkflowId,
} from './payment-client';
import { seededRandom } from '../../dev/seeded-random';

const REPEATS = SOAK ? 8 : 1;
const ROUNDS = SOAK ? 200 : 24;
const AT_ONCE = 6;
const SEED = 20_261_124;
const PROOF = { gapMs: 1_000, afterSendMs: 2_000 };
/** Beyond CHANNEL_TIMEOUT, so that the first try ends without an answer. */
const SLOW_MS = 3_000;
const FAULTS: readonly FaultKind[] = [
  'error_before',
  'error_after',
  'error_stored_not_executed',
  'timeout_after',
  'reset_before',
  'reset_after',
  'slow',
];

let system: System;
let client: PaymentClient;

beforeAll(async () => {
  system = await startSystem({ environment: PAYMENT_SETTINGS, sandbox: 'process' });
  client = new PaymentClient(system.client(), system.sandbox.url);
});
afterAll(() => system?.stop());

/** The row of an order's payment, which is there before its channel has answered. */
async function numberOf(orderNo: string): Promise<string> {
  const [row] = await eventually(
    `the row of ${orderNo}`,
    () =>
      system.rows<{ payment_no: string }>('SELECT payment_no FROM payments WHERE order_no = $1', [orderNo]),
    (rows) => rows.length === 1,
  );
  return row?.payment_no ?? '';
}

/** How often a fault strikes: the SDK repeats a reset by itself, so one alone would never be seen. */
const howOften = (fault: FaultKind) => ({ times: fault.startsWith('reset') ? 2 : 1, delayMs: SLOW_MS });

async function expectProved(paymentNo: string): Promise<void> {
  const { calls } = await system.sandbox.books();
  expect(findUnprovedKeys(calls, paymentWorkflowId(system, paymentNo), PROOF)).toEqual([]);
}

async function lastKeyOf(operation: string, paymentNo: string): Promise<number> {
  const [row] = await system.rows<{ n: number }>(
    'SELECT max(n)::int AS n FROM channel_calls WHERE operation = $1 AND object_no = $2',
    [operation, paymentNo],
  );
  return row?.n ?? 0;
}

const expectedKeys = (fault: FaultKind) => (fault === 'error_stored_not_executed' ? 2 : 1);

it.each(FAULTS)(
  'is made once whatever goes wrong on create (%s)',
  async (fault) => {
    for (let i = 0; i < REPEATS; i += 1) {
      await system.sandbox.fault('create', fault, howOften(fault));
      const body = paymentOf();
      const reply = await client.create(body);
      expect([201, 202]).toContain(reply.status);
      const no = reply.data.payment_no;
      const open = await client.waitFor(no, 'requires_action');
      await client.pay(open);
      await client.waitFor(no, 'success');
      await expectPaymentAgreement(system, no);
      await expectProved(no);
      expect(await lastKeyOf('create', no)).toBe(expectedKeys(fault));
    }
  },
  60_000 * REPEATS,
);

it(
  'is cancelled once whatever goes wrong on cancel',
  async () => {
    const cancelUnder = async (fault: FaultKind) => {
      const { payment_no: no } = await client.open();
      const holdfastId = paymentWorkflowId(system, no);
      await system.sandbox.fault('cancel', fault, { ...howOften(fault), holdfastId });
      expect([200, 202]).toContain((await client.cancel(no)).status);
      await client.waitFor(no, 'cancelled');
      await expectPaymentAgreement(system, no);
      await expectProved(no);
      expect(await eventTypesOf(system, no)).toEqual(['payment.cancelled']);
      expect(await lastKeyOf('cancel', no)).toBe(expectedKeys(fault));
    };
    for (let i = 0; i < REPEATS; i += 1) await Promise.all(FAULTS.map(cancelUnder));
  },
  60_000 * REPEATS,
);

it('finds the payment that was made before the worker died', async () => {
  const body = paymentOf();
  const key = randomUUID();
  await system.sandbox.fault('create', 'timeout_after', {});
  const creating = client.create(body, key);
  const no = await numberOf(body.order_no);
  const holdfastId = paymentWorkflowId(system, no);
  await eventually(
    'the channel has made it',
    () => system.sandbox.books(holdfastId),
    ({ payment_intents: intents }) => intents.length === 1,
  );
  await system.workers[0]?.kill();
  await system.workers[0]?.restart();
  expect([201, 202]).toContain((await creating).status);
  const open = await client.waitFor(no, 'requires_action');
  expect((await client.create(body, key)).data.payment_no).toBe(no);
  await client.pay(open);
  await client.waitFor(no, 'success');
  await expectPaymentAgreement(system, no);
}, 90_000);

it('settles a cancel whose worker died', async () => {
  const { payment_no: no } = await client.open();
  const holdfastId = paymentWorkflowId(system, no);
  await system.sandbox.fault('cancel', 'timeout_after', { holdfastId });
  const cancelling = client.cancel(no);
  await eventually(
    'the channel has cancelled it',
    () => system.sandbox.books(holdfastId),
    ({ payment_intents: [intent] }) => intent?.status === 'canceled',
  );
  await system.workers[0]?.kill();
  await system.workers[0]?.restart();
  expect([200, 202]).toContain((await cancelling).status);
  await client.waitFor(no, 'cancelled');
  await expectPaymentAgreement(system, no);
  expect(await eventTypesOf(system, no)).toEqual(['payment.cancelled']);
}, 90_000);

it(
  `ends as exactly one of paid, cancelled and expired, ${ROUNDS} times`,
  async () => {
    const random = seededRandom(SEED);
    const ends: Record<string, number> = {};
    for (let done = 0; done < ROUNDS; done += AT_ONCE) {
      const rounds = Array.from({ length: AT_ONCE }, (_, i) => race(i % 2 === 0, random()));
      for (const end of await Promise.all(rounds)) ends[end] = (ends[end] ?? 0) + 1;
    }
    expect(Object.values(ends).reduce((sum, n) => sum + n, 0)).toBe(ROUNDS);
    process.stdout.write(`how they ended: ${JSON.stringify(ends)}\n`);
  },
  ROUNDS * 3_000 + 30_000,
);

/** The customer pays at the moment of a cancel, or of the expiry; `luck`, from 0 to 1, says how late. */
async function race(againstCancel: boolean, luck: number): Promise<string> {
  const payment = await client.open(againstCancel ? {} : { expires_in: 2 });
  const no = payment.payment_no;
  const payAfter = async (delayMs: number) => {
    await sleep(Math.max(delayMs, 0));
    return client.pay(payment).then(
      () => true,
      () => false,
    );
  };
  const isPaid = againstCancel ? await payAndCancel() : await payAfter((await leftMs(no)) - 20 + luck * 400);
  const { status } = await client.waitFor(no, 'success', 'cancelled', 'expired');
  expect(status === 'success').toBe(isPaid);
  await expectPaymentAgreement(system, no);
  expect(await eventTypesOf(system, no)).toEqual([`payment.${status}`]);
  return status;

  async function payAndCancel(): Promise<boolean> {
    const [paid, cancelled] = await Promise.all([payAfter(luck * 250), client.cancel(no)]);
    if (paid) expect(cancelled).toMatchObject({ status: 409, code: 'PAYMENT_CLOSED' });
    else expect(cancelled.status).toBe(200);
    return paid;
  }
}

async function leftMs(paymentNo: string): Promise<number> {
  const [row] = await system.rows<{ expires_at: Date }>(
    'SELECT expires_at FROM payments WHERE payment_no = $1',
    [paymentNo],
  );
  return (row?.expires_at.getTime() ?? 0) - Date.now();
}
