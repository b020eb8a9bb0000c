/** What the statements of refunds do on real rows: reserve, give back, import, free the order. */
import { randomUUID } from 'node:crypto';
import type { RefundSnapshot } from '../../src/domain/channel-payment';
import { importRefunds } from '../../src/stores/imported-refunds';
import { withTransaction } from '../../src/stores/postgres';
import {
  freeOrderIfRefunded,
  readRefundable,
  refundableOf,
  releaseRefund,
  reserveRefund,
} from '../../src/stores/refund-reservations';
import { readRefund, toRefund } from '../../src/stores/refunds';
import { openRefundRows } from './refund-rows';
import type { RefundRows } from './refund-rows';

let rows: RefundRows;

beforeAll(async () => {
  rows = await openRefundRows();
});
afterAll(() => rows?.close());

function shown(amount: number, more: Partial<RefundSnapshot> = {}): RefundSnapshot {
  return { channelRefundNo: `re_${randomUUID()}`, status: 'succeeded', currency: 'USD', amount, ...more };
}

const importAll = (object: Parameters<typeof importRefunds>[1], snapshots: readonly RefundSnapshot[]) =>
  withTransaction(rows.db, (tx) => importRefunds(tx, object, snapshots));

async function refundOf(refundNo: string) {
  const row = await readRefund(rows.db, rows.merchantId, refundNo);
  if (row === undefined) throw new Error('gone');
  return toRefund(row);
}

describe('reservations', () => {
  test('exactly as many as fit, whoever comes at the same time, without a judgement before', async () => {
    const object = await rows.paid();
    const granted = await Promise.all(Array.from({ length: 40 }, () => reserveRefund(rows.db, object, 90)));
    expect(granted.filter(Boolean)).toHaveLength(11);
    expect(await rows.figures(object)).toEqual({ reserved: 990, external: 0 });
  });

  test('what was refunded by hand is taken into account', async () => {
    const object = await rows.paid();
    expect(await importAll(object, [shown(400)])).toBe(400);
    expect(await reserveRefund(rows.db, object, 601)).toBe(false);
    expect(await reserveRefund(rows.db, object, 600)).toBe(true);
  });

  test('the database itself refuses more than was paid, and less than nothing', async () => {
    const object = await rows.paid();
    const over = rows.db.query('UPDATE payments SET refund_reserved = 1001 WHERE payment_no = $1', [
      object.no,
    ]);
    await expect(over).rejects.toThrow(/check constraint/);
    const refundNo = await rows.refund(object, 300);
    await releaseRefund(rows.db, await refundOf(refundNo));
    expect(await rows.figures(object)).toEqual({ reserved: 0, external: 0 });
    await expect(releaseRefund(rows.db, await refundOf(refundNo))).rejects.toThrow(/check constraint/);
  });

  test('the figures name what is disputed', async () => {
    const object = await rows.paid();
    // The second is about money at a channel that the payment has left.
    await rows.db.query(
      `INSERT INTO disputes (id, merchant_id, object_kind, object_no, channel_account_id, channel_dispute_no, currency, amount, reason, status, channel_no)
       SELECT gen_random_uuid(), $1, 'payment', $2, $3, gen_random_uuid(), 'USD', amount, 'fraudulent', 'open', channel_no
       FROM (VALUES (250, NULL), (400, 'pi_left')) AS given (amount, channel_no)`,
      [rows.merchantId, object.no, rows.accountId],
    );
    const row = await readRefundable(rows.db, object);
    expect(row && (await refundableOf(rows.db, object, row))).toMatchObject({ paid: 1_000, disputed: 250 });
    const other = { ...object, no: `PY-${randomUUID()}` };
    expect(await readRefundable(rows.db, other)).toBeUndefined();
  });
});

describe('the order', () => {
  test('is free when refunds that succeeded and those by hand are all of it, and not before', async () => {
    const object = await rows.paid();
    await rows.refund(object, 300, { status: 'success' });
    const waiting = await rows.refund(object, 300);
    await rows.refund(object, 300, { status: 'failed' });
    await importAll(object, [shown(400)]);
    await freeOrderIfRefunded(rows.db, object, object.no);
    expect(await rows.hasClaim(object)).toBe(true);
    await rows.db.query(`UPDATE refunds SET status = 'success', closed_at = now() WHERE refund_no = $1`, [
      waiting,
    ]);
    await freeOrderIfRefunded(rows.db, object, object.no);
    expect(await rows.hasClaim(object)).toBe(false);
  });

  test('stays with whoever has taken it meanwhile', async () => {
    const object = await rows.paid();
    await rows.refund(object, 1_000, { status: 'success' });
    await rows.db.query(`UPDATE order_claims SET number = 'PY-other' WHERE order_no = $1`, [object.no]);
    await freeOrderIfRefunded(rows.db, object, object.no);
    expect(await rows.hasClaim(object)).toBe(true);
  });

  test('is freed by a dashboard refund of everything', async () => {
    const object = await rows.paid();
    await importAll(object, [shown(1_000)]);
    expect(await rows.hasClaim(object)).toBe(false);
  });
});

describe('import', () => {
  test('ours are left out, by number or by the channel’s number; a repeat changes nothing', async () => {
    const object = await rows.paid();
    const refundNo = await rows.refund(object, 100);
    await rows.refund(object, 100, { status: 'success', channelNo: 're_known' });
    const all = [
      shown(100, { refundNo }),
      shown(100, { channelRefundNo: 're_known' }),
      shown(50),
      shown(30, { refundNo: 'RF-of-another-system' }),
    ];
    for (let i = 0; i < 3; i += 1) expect(await importAll(object, all)).toBe(80);
    expect(await rows.figures(object)).toEqual({ reserved: 200, external: 80 });
    const notes = await rows.db.query(
      `SELECT data FROM payment_events WHERE object_no = $1 AND type = 'channel.refunds_imported'`,
      [object.no],
    );
    expect(notes.rows).toEqual([{ data: { refunded_external: 80, before: 0 } }]);
  });

  test('one by hand that fails counts no more; one of an unknown status does', async () => {
    const object = await rows.paid();
    const first = shown(100, { status: 'pending' });
    expect(await importAll(object, [first, shown(40, { status: 'unknown' })])).toBe(140);
    expect(await importAll(object, [{ ...first, status: 'failed' }])).toBe(40);
  });

  test('one of ours that failed here and not there is money that is gone all the same', async () => {
    const object = await rows.paid();
    const refundNo = await rows.refund(object, 100, { status: 'failed' });
    expect(await importAll(object, [shown(100, { refundNo, status: 'failed' })])).toBe(0);
    expect(await importAll(object, [shown(100, { refundNo })])).toBe(100);
  });

  test('another currency is kept and not added up; an object that is not ours is none', async () => {
    const object = await rows.paid();
    expect(await importAll(object, [shown(100, { currency: 'EUR' })])).toBe(0);
    expect(await importAll({ ...object, no: 'PY-none' }, [shown(100)])).toBeUndefined();
  });
});
