/** Refunds that are not made: nothing is written, nothing is reserved, and the caller is told why. */
import { countAllRows } from './checks';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import { newNumber } from './merchant-client';
import {
  expectRefundAgreement,
  KINDS,
  objectRow,
  RefundClient,
  refundEventsOf,
  refundWorkflowId,
} from './refund-client';

let system: System;
let client: RefundClient;

beforeAll(async () => {
  system = await startSystem();
  client = new RefundClient(system.client(), system.sandbox.url);
});
afterAll(() => system?.stop());

describe('refused', () => {
  it('what was not taken, or is not there', async () => {
    const open = await client.merchant.open();
    const before = await countAllRows(system);
    const object = { kind: 'pre_auth', no: open.pre_auth_no } as const;
    expect(await client.refund(object)).toMatchObject({
      ...{ status: 409, code: 'PAYMENT_NOT_REFUNDABLE', details: { status: 'requires_payment_method' } },
    });
    for (const kind of KINDS) {
      const nothing = { kind, no: newNumber('NONE') };
      expect(await client.refund(nothing)).toMatchObject({ status: 404, code: 'NOT_FOUND' });
      expect(await client.merchant.call(client.path(nothing))).toMatchObject({
        status: 404,
        code: 'NOT_FOUND',
      });
    }
    expect(await client.get(newNumber('NONE'))).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    expect(await countAllRows(system)).toEqual(before);
  });

  it('another merchant’s payment, hold or refund: there is no such object', async () => {
    const stranger = new RefundClient(
      system.client(await system.createMerchant('Stranger')),
      system.sandbox.url,
    );
    for (const kind of KINDS) {
      const object = await client.paid(kind);
      const { data } = await client.refund(object, { amount: 100 });
      expect(await stranger.refund(object, { amount: 100 })).toMatchObject({
        status: 404,
        code: 'NOT_FOUND',
      });
      expect(await stranger.list(object)).toMatchObject({ status: 404, code: 'NOT_FOUND' });
      expect(await stranger.get(data.refund_no)).toMatchObject({ status: 404, code: 'NOT_FOUND' });
      await expectRefundAgreement(system, object);
    }
  });

  it('what is disputed, while it is open or lost', async () => {
    const object = await client.paid('payment');
    const write = (status: string, amount: number, currency = 'USD') =>
      system.rows(
        `INSERT INTO disputes (id, merchant_id, object_kind, object_no, channel_account_id, channel_dispute_no, currency, amount, reason, status, closed_at)
         VALUES (gen_random_uuid(), $1, 'payment', $2, $3, gen_random_uuid(), $6, $5, 'fraudulent', $4::text, CASE WHEN $4::text = 'open' THEN NULL::timestamptz ELSE now() END)`,
        [system.merchant.merchantId, object.no, system.accountId, status, amount, currency],
      );
    await write('won', 50_000);
    await write('open', 15_000);
    await write('lost', 5_000);
    expect(await client.refund(object, { amount: 30_001 })).toMatchObject({
      ...{ status: 409, code: 'REFUND_DISPUTED' },
      details: { amount: 30_001, amount_refundable: 30_000, amount_disputed: 20_000 },
    });
    expect(await client.refund(object)).toMatchObject({ status: 201, data: { amount: 30_000 } });
    expect(await client.refund(object)).toMatchObject({ status: 409, code: 'REFUND_DISPUTED' });
    const elsewhere = await client.paid('payment');
    await system.rows('UPDATE disputes SET object_no = $2, currency = $3 WHERE object_no = $1', [
      object.no,
      elsewhere.no,
      'EUR',
    ]);
    expect(await client.refund(elsewhere, { amount: 1 })).toMatchObject({
      status: 409,
      code: 'REFUND_DISPUTED',
    });
  });

  it.each<[string, unknown, string]>([
    ['an amount of 0', { amount: 0 }, 'amount'],
    ['a negative amount', { amount: -1 }, 'amount'],
    ['a fraction', { amount: 1.5 }, 'amount'],
    ['a text', { amount: '100' }, 'amount'],
    ['an amount beyond the safe integers', { amount: 2 ** 53 }, 'amount'],
    ['an amount of null', { amount: null }, 'amount'],
    ['a currency: it is the payment’s', { amount: 1, currency: 'USD' }, 'currency'],
    ['a misspelt field', { amout: 100 }, 'amout'],
    ['a refund_no with a slash', { refund_no: 'a/b' }, 'refund_no'],
    ['an empty refund_no', { refund_no: '' }, 'refund_no'],
    ['a refund_no of 65 characters', { refund_no: 'x'.repeat(65) }, 'refund_no'],
    ['an empty reason', { reason: '' }, 'reason'],
    ['a reason of 501 characters', { reason: 'x'.repeat(501) }, 'reason'],
    ['a reason with a control character', { reason: 'a\u0007b' }, 'reason'],
    ['a reason with NUL', { reason: 'a\u0000b' }, 'reason'],
    ['a notify_url of a number', { notify_url: 1 }, 'notify_url'],
    ['a list', [], 'body'],
    ['a text as body', '"all"', 'body'],
  ])('%s', async (_name, json, field) => {
    const object = { kind: 'payment', no: 'PY20250124123456abcdefgh' } as const;
    const reply = await client.refund(object, json as object);
    expect(reply).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
    const paths = (reply.details as { issues: { path: string }[] }).issues.map(({ path }) => path);
    expect(paths).toContain(field);
  });

  it('a notify_url that points into our own network', async () => {
    const object = await client.paid('payment');
    const reply = await client.refund(object, { notify_url: 'http://169.254.169.254/latest' });
    expect(reply).toMatchObject({ status: 422, code: 'WEBHOOK_URL_NOT_ALLOWED' });
    await expectRefundAgreement(system, object);
  });

  it('bad cursors and numbers', async () => {
    const object = await client.paid('payment');
    expect((await client.list(object, '?cursor=nonsense')).status).toBe(400);
    expect((await client.list(object, '?limit=101')).status).toBe(400);
    expect((await client.list(object, '?status=success')).status).toBe(400);
    expect((await client.get('a%20b')).status).toBe(400);
  });
});

it('is refused by the channel where we did not know better: it failed, and its reservation is free', async () => {
  const object = await client.paid('payment');
  await system.sandbox.post(`payment_intents/${object.channelNo}/dispute`, {});
  const reply = await client.refund(object, { amount: 100 });
  expect(reply).toMatchObject({
    status: 402,
    code: 'CHANNEL_DECLINED',
    details: { decline_code: 'invalid_state' },
  });
  const [{ refund_no: no } = { refund_no: '' }] = (await client.list(object)).data.items;
  expect(await refundEventsOf(system, no)).toEqual(['refund.failed']);
  expect((await objectRow(system, object)).refund_reserved).toBe(0);
  await eventually(
    'the workflow has ended',
    async () => {
      const handle = system.temporal.workflow.getHandle(refundWorkflowId(system, no));
      return (await handle.describe()).status.name;
    },
    (status) => status === 'COMPLETED',
  );
});
