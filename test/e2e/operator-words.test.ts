/** What operators tell workflows is in the audit, whoever they say they are; what merchants ask for is not. */
import type { WorkflowHandle } from '@temporalio/client';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import { MerchantClient } from './merchant-client';
import { PaymentClient, paymentWorkflowId } from './payment-client';

let system: System;
let stripe: string;

beforeAll(async () => {
  system = await startSystem();
  stripe = system.sandbox.url;
});
afterAll(() => system?.stop());

async function audited(query: string): Promise<object[]> {
  const root = new MerchantClient(system.apiUrl, system.adminKey);
  const { data } = await root.call<{ items: object[] }>(`/api/v1/admin/audit?limit=100&${query}`);
  return data.items;
}

const auditOf = (kind: 'pre_auth' | 'payment', no: string) =>
  audited(`entity=${kind}&entity_id=${system.merchant.merchantId}/${no}`);

test('what an operator tells a hold in Temporal is in the audit, once, under the name given; what a merchant asks is not', async () => {
  const client = system.client();
  const [part, bare, canceled, own] = await Promise.all([
    ...([client.held(stripe), client.held(stripe)] as const),
    ...([client.held(stripe), client.held(stripe)] as const),
  ]);
  const command = { amount: 12_345, by: 'ann', reason: 'guest phoned from +49 170', command_id: 'phone-1' };
  await system.workflow(part.pre_auth_no).signal('capture', command);
  await system.workflow(part.pre_auth_no).signal('capture', command);
  await system.workflow(bare.pre_auth_no).signal('capture');
  await system.workflow(canceled.pre_auth_no).signal('cancel', { by: 'ben' });
  await client.waitFor(part.pre_auth_no, 'succeeded');
  await client.waitFor(bare.pre_auth_no, 'succeeded');
  await client.waitFor(canceled.pre_auth_no, 'canceled');
  await client.capture(own.pre_auth_no, {});
  const of = ({ pre_auth_no: no }: { pre_auth_no: string }) => auditOf('pre_auth', no);
  expect(await of(part)).toMatchObject([
    {
      via: 'temporal',
      actor: 'ann',
      action: 'signal.capture',
      request_id: 'phone-1',
      after: { amount: 12_345, currency: 'USD' },
    },
  ]);
  expect(JSON.stringify(await of(part))).not.toContain('+49');
  expect(await of(bare)).toMatchObject([{ actor: 'temporal', action: 'signal.capture' }]);
  expect(await of(canceled)).toMatchObject([{ actor: 'ben', action: 'signal.cancel', status: null }]);
  expect(await of(own)).toEqual([]);
}, 60_000);

/** That these updates are refused before anything is done, and so is the signal of an operator who takes another's name. */
async function expectRefused(workflow: WorkflowHandle, kind: string, inputs: object[]): Promise<void> {
  const names = ['api', 'API ', 'merchant', 'root', 'temporal'].map((by) => ({ by }));
  for (const input of [...inputs, ...names]) {
    const asking = workflow.executeUpdate(kind, { args: [input] });
    await expect(asking).rejects.toMatchObject({ cause: { type: 'INVALID_REQUEST' } });
  }
  await workflow.signal(kind, { by: 'api' });
  await eventually(
    'the signal is refused',
    () => workflow.query<{ lastRefusal: string | null }>('state'),
    ({ lastRefusal }) => lastRefusal?.startsWith(`${kind}: "by" must be your own name`) === true,
  );
}

test('an operator who says that he is the API is in the audit all the same', async () => {
  const client = system.client();
  const payments = new PaymentClient(client, stripe);
  const [byUpdate, bySignal] = [await client.held(stripe), await client.held(stripe)];
  const open = await payments.open();
  const workflow = system.workflow(byUpdate.pre_auth_no);
  const capture = { kind: 'capture', commandId: 'x', by: 'api' };
  const misspelt = { kind: 'capture', commandId: 'x', amuont: 100 };
  await expectRefused(workflow, 'capture', [
    misspelt,
    { ...capture, amuont: 100 },
    { ...capture, amount: -1 },
  ]);
  expect((await client.get(byUpdate.pre_auth_no)).data).toMatchObject({ amount_capturable: 50_000 });
  const payment = system.temporal.workflow.getHandle(paymentWorkflowId(system, open.payment_no));
  const cancel = { kind: 'cancel', commandId: 'x', by: 'api' };
  await expectRefused(payment, 'cancel', [
    { ...cancel, why: 'x' },
    { ...cancel, kind: 'capture' },
  ]);
  expect((await payments.get(open.payment_no)).data.status).not.toBe('cancelled');

  await workflow.executeUpdate('capture', { args: [{ ...capture, mark: 'v1.test.bWFyaw' }] });
  await system.workflow(bySignal.pre_auth_no).signal('capture', { by: 'api', command_id: 'y' });
  await client.waitFor(bySignal.pre_auth_no, 'succeeded');
  await payment.executeUpdate('cancel', { args: [cancel] });
  const unnamed = { via: 'temporal', actor: 'temporal' };
  for (const { pre_auth_no: no } of [byUpdate, bySignal]) {
    expect(await auditOf('pre_auth', no)).toMatchObject([{ ...unnamed, action: 'signal.capture' }]);
    const calls = `SELECT command FROM channel_calls WHERE object_no = $1 AND operation = 'capture'`;
    expect(await system.rows(calls, [no])).toEqual([{ command: {} }]);
  }
  expect(await auditOf('payment', open.payment_no)).toMatchObject([{ ...unnamed, action: 'signal.cancel' }]);
}, 60_000);

test('what a merchant asks while no worker runs is not in the audit either', async () => {
  const hurried = await system.startApi({ API_WAIT_TIMEOUT: '1' });
  const client = system.client(system.merchant, hurried);
  const payments = new PaymentClient(client, stripe);
  const [hold, payment] = [await client.held(stripe), await payments.open()];
  await Promise.all(system.workers.map((worker) => worker.stop()));
  expect((await client.capture(hold.pre_auth_no, { amount: 100 })).status).toBe(202);
  expect((await payments.cancel(payment.payment_no)).status).toBe(202);
  await system.startWorker();
  expect(await client.waitFor(hold.pre_auth_no, 'succeeded')).toMatchObject({ amount_captured: 100 });
  await payments.waitFor(payment.payment_no, 'cancelled');
  expect(await auditOf('pre_auth', hold.pre_auth_no)).toEqual([]);
  expect(await auditOf('payment', payment.payment_no)).toEqual([]);
  const said = await system.rows<{ by: string }>(
    `SELECT command ->> 'by' AS by FROM channel_calls WHERE object_no = ANY ($1) AND operation IN ('capture', 'cancel')`,
    [[hold.pre_auth_no, payment.payment_no]],
  );
  expect(said).toEqual([{ by: 'api' }, { by: 'api' }]);
}, 60_000);

test('how an unknown outcome was decided is in the audit', async () => {
  const { pre_auth_no: no } = await system.client().held(stripe);
  const workflow = system.workflow(no);
  await system.sandbox.fault('cancel', 'error_before', { times: 1_000, holdfastId: system.workflowId(no) });
  const asking = system.client().cancel(no);
  const ofCall = `object_no = $1 AND operation = 'cancel'`;
  await eventually(
    'it was sent',
    () => system.rows<{ attempts: number }>(`SELECT attempts FROM channel_calls WHERE ${ofCall}`, [no]),
    ([call]) => (call?.attempts ?? 0) > 0,
  );
  await system.rows(
    `UPDATE channel_calls SET created_at = created_at - interval '24 hours' WHERE ${ofCall}`,
    [no],
  );
  const settled = async () => {
    await workflow.signal('resync');
    await workflow.signal('settle', { by: 'ann', reason: 'seen', outcome: 'not_executed' });
    return audited(`action=signal.settle&entity_id=${system.merchant.merchantId}/${no}`);
  };
  const entries = await eventually('it is decided', settled, ({ length }) => length > 0);
  expect(entries).toMatchObject([{ actor: 'ann', after: { operation: 'cancel', outcome: 'not_executed' } }]);
  await system.sandbox.clearFaults();
  await asking;
}, 60_000);
