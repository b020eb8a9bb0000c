/**
 * The Temporal Web UI as the console: docs/web-ui.md's queries find what they promise, the current details say what a person
 * has to know, and an operator captures with the update that the page names.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { AMOUNT, CHANNEL, ENDS_AT, ORDER, STATUS } from '../../src/domain/search-attributes';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import { newNumber } from './merchant-client';
import type { MerchantClient } from './merchant-client';
import { PaymentClient, paymentWorkflowId } from './payment-client';
import { RefundClient, refundWorkflowId } from './refund-client';

const GUIDE = readFileSync(join(__dirname, '..', '..', 'docs', 'web-ui.md'), 'utf8');
/** The table of views: name and query. */
const VIEWS = new Map(
  [...GUIDE.matchAll(/^\| ([^|`]+) \| `([^`|]*(?: = | < )[^`|]*)` \|$/gm)].map(
    ([, name = '', query = '']) => [name, query],
  ),
);
const HOUR_MS = 3_600_000;

let system: System;
let client: MerchantClient;
let receiverUrl: string;
const receiver = createServer((request, response) => {
  request.resume();
  response.writeHead(500).end();
});

beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  receiverUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hooks`;
  system = await startSystem({ webhooksCount: 1, environment: { WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8' } });
  client = system.client();
}, 120_000);
afterAll(async () => {
  await system?.stop();
  receiver.close();
});

async function found(query: string): Promise<string[]> {
  const ids = [];
  for await (const { workflowId } of system.temporal.workflow.list({ query })) ids.push(workflowId);
  return ids;
}

async function detailsOf(workflow: WorkflowHandle): Promise<string> {
  const { currentDetails = '' } = await workflow.query<{ currentDetails?: string }>(
    '__temporal_workflow_metadata',
  );
  return currentDetails;
}

async function upsertsOf(workflow: WorkflowHandle): Promise<string[][]> {
  const { events = [] } = await workflow.fetchHistory();
  return (events ?? []).flatMap(({ upsertWorkflowSearchAttributesEventAttributes: upsert }) =>
    upsert == null ? [] : [Object.keys(upsert.searchAttributes?.indexedFields ?? {}).sort()],
  );
}

/** A refund whose answer never comes, so long ago that only a person can tell. */
async function unknownRefund(): Promise<{ workflowId: string; asking: Promise<unknown> }> {
  const refunds = new RefundClient(client, system.sandbox.url);
  const object = await refunds.paid('payment');
  const wish = refunds.numbered({ amount: 10_000 });
  const workflowId = refundWorkflowId(system, wish.refund_no);
  await system.sandbox.fault('refund', 'error_before', { times: 1_000, holdfastId: workflowId });
  const asking = refunds.refund(object, wish);
  const names = ['refund', wish.refund_no];
  const ofCall = 'object_kind = $1 AND object_no = $2';
  await eventually(
    'it was sent',
    () => system.rows<{ attempts: number }>(`SELECT attempts FROM channel_calls WHERE ${ofCall}`, names),
    ([call]) => (call?.attempts ?? 0) > 0,
  );
  await system.rows(
    `UPDATE channel_calls SET created_at = created_at - interval '24 hours' WHERE ${ofCall}`,
    names,
  );
  await system.temporal.workflow.getHandle(workflowId).signal('resync');
  return { workflowId, asking };
}

test('every view of the guide finds what it promises', async () => {
  const order = newNumber('ORDER');
  const held = await client.held(system.sandbox.url, {
    ...{ order_no: order, amount: 250_000, expires_in: 1_800, notify_url: receiverUrl },
  });
  const hold = system.workflowId(held.pre_auth_no);
  const payments = new PaymentClient(client, system.sandbox.url);
  const { payment_no: paymentNo } = await payments.open();
  const payment = paymentWorkflowId(system, paymentNo);
  const { workflowId: refund, asking } = await unknownRefund();
  const [webhook = ''] = await eventually(
    'a webhook is in retry',
    () => found(`WorkflowType = 'webhookDelivery' AND HoldfastNumber = '${held.pre_auth_no}'`),
    (ids) => ids.length > 0,
  );
  const fill = (query: string) =>
    query
      .replace("'ORDER'", `'${order}'`)
      .replace("'NUMBER'", `'${held.pre_auth_no}'`)
      .replace("'MERCHANT'", `'${system.merchant.merchantId}'`)
      .replace("'IN_AN_HOUR'", `'${new Date(Date.now() + HOUR_MS).toISOString()}'`)
      // Nothing here is that old: the query is asked as of tomorrow, of what is not at work yet.
      .replace("'AN_HOUR_AGO'", `'${new Date(Date.now() + 24 * HOUR_MS).toISOString()}'`)
      .replace("'processing'", "'requires_action'");
  const promised: Readonly<Record<string, { yes: string[]; no: string[] }>> = {
    'What needs attention': { yes: [refund], no: [hold, payment, webhook] },
    'One order with its refunds': { yes: [hold], no: [payment, refund] },
    'One number with its webhooks': { yes: [hold, webhook], no: [payment, refund] },
    'Open holds of a merchant': { yes: [hold], no: [payment, refund, webhook] },
    'Money held for a merchant': { yes: [hold], no: [payment, refund, webhook] },
    'Money held that is released within the hour': { yes: [hold], no: [payment] },
    'Large holds': { yes: [hold], no: [payment, refund] },
    'What a channel has': { yes: [hold, payment, refund], no: [webhook] },
    'Payments a channel is at work on for long': { yes: [payment], no: [hold] },
    'Refunds on their way': { yes: [refund], no: [hold, payment] },
    'Webhooks in retry': { yes: [webhook], no: [hold] },
    'Webhooks in retry of a merchant': { yes: [webhook], no: [hold] },
  };
  expect([...VIEWS.keys()]).toEqual(Object.keys(promised));
  for (const [view, query] of VIEWS) {
    const { yes = [], no = [] } = promised[view] ?? {};
    const ids = await eventually(
      `${view}: ${fill(query)}`,
      () => found(fill(query)),
      (all) => yes.every((id) => all.includes(id)),
    );
    expect(ids.filter((id) => no.includes(id))).toEqual([]);
  }
  expect(await detailsOf(system.temporal.workflow.getHandle(webhook))).toContain('signal `retry_now`');

  const unknown = system.temporal.workflow.getHandle(refund);
  expect(await detailsOf(unknown)).toMatch(/Needs attention:[^]*What you can do[^]*signal `settle`/);
  const [, word = ''] = /```json\n(\{[^\n]*"outcome"[^\n]*)\n```/.exec(GUIDE) ?? [];
  await unknown.signal('settle', JSON.parse(word));
  expect(await unknown.result()).toBe('failed');
  await eventually(
    'it needs nobody any more',
    () => found('HoldfastNeedsAttention = true'),
    (ids) => !ids.includes(refund),
  );
  await asking;
}, 120_000);

test('a hold is found by its order, understood, and captured with the update of the guide', async () => {
  const order = newNumber('ORDER');
  const held = await client.held(system.sandbox.url, { order_no: order });
  const [id = ''] = await eventually(
    'it is found',
    () => found(`HoldfastOrder = '${order}' AND HoldfastStatus = 'requires_capture'`),
    (ids) => ids.length === 1,
  );
  const workflow = system.temporal.workflow.getHandle(id);
  const details = await detailsOf(workflow);
  expect(details).toContain(`hold \`${held.pre_auth_no}\` of order \`${order}\``);
  expect(details).toContain('**Held:** 500.00 USD, of which 500.00 USD can be captured');
  expect(details).toMatch(/Waits for:\*\* the merchant, who captures or cancels; released at 20\d\d-/);
  expect(details).toContain('update `capture`');

  // Misspelt, so that nothing is captured rather than everything.
  const misspelt = workflow.executeUpdate('capture', { args: [{ amout: 32_000, by: 'ops' }] });
  await expect(misspelt).rejects.toThrow(WorkflowUpdateFailedError);
  await expect(misspelt).rejects.toMatchObject({ cause: { type: 'INVALID_REQUEST' } });
  const tooMuch = workflow.executeUpdate('capture', { args: [{ amount: 50_001 }] });
  await expect(tooMuch).rejects.toMatchObject({ cause: { type: 'CAPTURE_AMOUNT_EXCEEDS_HOLD' } });

  const [, input = ''] = /```json\n(\{ "amount"[^\n]*)\n```/.exec(GUIDE) ?? [];
  const done = await workflow.executeUpdate('capture', { args: [JSON.parse(input) as object] });
  expect(done).toMatchObject({ kind: 'done', amount: 32_000 });
  expect(await workflow.result()).toBe('succeeded');
  const [call] = await system.rows<{ reason: string }>(
    `SELECT command ->> 'reason' AS reason FROM channel_calls WHERE object_no = $1 AND operation = 'capture'`,
    [held.pre_auth_no],
  );
  expect(call?.reason).toContain('ticket 4711');
  const { typedSearchAttributes: attributes } = await workflow.describe();
  expect([STATUS, CHANNEL, ORDER, AMOUNT].map((key) => attributes.get<'KEYWORD' | 'INT'>(key))).toEqual([
    ...['succeeded', 'stripe', order, 50_000],
  ]);
  expect(attributes.get(ENDS_AT)?.getTime()).toBeGreaterThan(Date.now());
  expect(await detailsOf(workflow)).toContain('nothing, it is closed');
}, 60_000);

test('an update of search attributes for every change of status, with what has changed', async () => {
  const held = await client.held(system.sandbox.url);
  const workflow = system.workflow(held.pre_auth_no);
  await client.capture(held.pre_auth_no);
  await workflow.result();
  const changed = (await upsertsOf(workflow)).filter((names) => !names.includes('TemporalChangeVersion'));
  // Created (its end is known then), confirmed, captured: the start has told the rest.
  expect(changed).toEqual([['HoldfastEndsAt', 'HoldfastStatus'], ['HoldfastStatus'], ['HoldfastStatus']]);
}, 60_000);

test('a hold that nobody works on yet is found by its order', async () => {
  const order = newNumber('ORDER');
  await Promise.all(system.workers.map((worker) => worker.stop()));
  const creating = client.create({ order_no: order, amount: 700, currency: 'USD', channel: 'stripe' });
  await eventually(
    'it is found',
    () => found(`HoldfastOrder = '${order}' AND HoldfastStatus = 'processing' AND HoldfastAmount = 700`),
    (ids) => ids.length === 1,
  );
  await system.startWorker();
  expect((await creating).status).toBeLessThan(300);
}, 60_000);
