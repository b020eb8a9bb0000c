/** Where no program can find out how a call ended a person is called: counted for alerts, and found in Temporal. */
import { freePort } from '../../dev/stack/ports';
import { NEEDS_ATTENTION } from '../../src/domain/search-attributes';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import { PaymentClient, paymentWorkflowId } from './payment-client';
import { RefundClient, refundWorkflowId } from './refund-client';

const KINDS = ['pre_auth', 'payment', 'refund'] as const;
type Kind = (typeof KINDS)[number];

let system: System;
let metricsUrl: string;

beforeAll(async () => {
  const address = `127.0.0.1:${await freePort()}`;
  metricsUrl = `http://${address}/metrics`;
  system = await startSystem({ environment: { WORKER_METRICS_ADDRESS: address } });
});
afterAll(() => system?.stop());
afterEach(() => system.sandbox.clearFaults());

/** How often an operator was called to objects of this kind at Stripe; undefined: the worker shows no such number. */
async function callsTo(kind: Kind): Promise<number | undefined> {
  const text = await (await fetch(metricsUrl)).text();
  const line = text
    .split('\n')
    .find(
      (one) =>
        one.startsWith('holdfast_needs_attention_total{') &&
        one.includes(`object_kind="${kind}"`) &&
        one.includes('channel="stripe"'),
    );
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}

/** Ids of those workflows among all that need an operator. */
async function found(workflowId: string): Promise<string[]> {
  const query = `${NEEDS_ATTENTION.name} = true AND WorkflowId = '${workflowId}'`;
  const ids = [];
  for await (const workflow of system.temporal.workflow.list({ query })) ids.push(workflow.workflowId);
  return ids;
}

interface Begun {
  readonly no: string;
  readonly workflowId: string;
  /** Asks what the channel will never answer. */
  readonly ask: () => Promise<unknown>;
}

/** An object whose next money call, the sandbox's `operation`, gets no answer. */
async function begin(kind: Kind): Promise<Begun> {
  const merchant = system.client();
  if (kind === 'pre_auth') {
    const { pre_auth_no: no } = await merchant.held(system.sandbox.url);
    return { no, workflowId: system.workflowId(no), ask: () => merchant.cancel(no) };
  }
  if (kind === 'payment') {
    const payments = new PaymentClient(merchant, system.sandbox.url);
    const { payment_no: no } = await payments.open();
    return { no, workflowId: paymentWorkflowId(system, no), ask: () => payments.cancel(no) };
  }
  const refunds = new RefundClient(merchant, system.sandbox.url);
  const object = await refunds.paid('payment');
  const wish = refunds.numbered({ amount: 10_000 });
  const no = wish.refund_no;
  return { no, workflowId: refundWorkflowId(system, no), ask: () => refunds.refund(object, wish) };
}

it.each(KINDS)(
  'of a %s: counted once, found until an operator has decided',
  async (kind) => {
    const { no, workflowId, ask } = await begin(kind);
    const operation = kind === 'refund' ? 'refund' : 'cancel';
    await system.sandbox.fault(operation, 'error_before', { times: 1_000, holdfastId: workflowId });
    expect(await callsTo(kind)).toBe(0);
    const asking = ask();
    const names = [kind, no, operation];
    const ofCall = `object_kind = $1 AND object_no = $2 AND operation = $3`;
    await eventually(
      'it was sent',
      () => system.rows<{ attempts: number }>(`SELECT attempts FROM channel_calls WHERE ${ofCall}`, names),
      ([call]) => (call?.attempts ?? 0) > 0,
    );
    expect(await found(workflowId)).toEqual([]);
    // So long ago that its key must not be sent again.
    await system.rows(
      `UPDATE channel_calls SET created_at = created_at - interval '24 hours' WHERE ${ofCall}`,
      names,
    );
    const workflow = system.temporal.workflow.getHandle(workflowId);
    await workflow.signal('resync');
    await eventually(
      'an operator finds it',
      () => found(workflowId),
      (ids) => ids.length > 0,
    );
    expect(await callsTo(kind)).toBe(1);
    await workflow.signal('settle', { by: 'ops', reason: 'seen in the dashboard', outcome: 'not_executed' });
    await eventually(
      'it needs nobody any more',
      () => found(workflowId),
      (ids) => ids.length === 0,
    );
    const { typedSearchAttributes } = await workflow.describe();
    expect(typedSearchAttributes.get(NEEDS_ATTENTION)).toBe(false);
    expect(await callsTo(kind)).toBe(1);
    await system.sandbox.clearFaults();
    await asking;
  },
  60_000,
);

it('marks no workflow that never needed anybody', async () => {
  const { pre_auth_no: no } = await system.client().held(system.sandbox.url);
  const { typedSearchAttributes } = await system.workflow(no).describe();
  expect(typedSearchAttributes.get(NEEDS_ATTENTION)).toBeUndefined();
});
