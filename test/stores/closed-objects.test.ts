/** What is still to be done with closed objects: their look, and an operator's word on a call that one of them still has. */
import { randomUUID } from 'node:crypto';
import { insertCall } from '../../src/stores/channel-calls';
import { findUncheckedClosed } from '../../src/stores/live-objects';
import { lockPreAuth, setNeedsAttention, toHold } from '../../src/stores/pre-auths';
import { openRefundRows } from './refund-rows';
import type { RefundRows } from './refund-rows';

let rows: RefundRows;

beforeEach(async () => {
  rows = await openRefundRows();
});
afterEach(() => rows?.close());

/** A hold that ended so long ago, and that nobody has looked at since. */
async function closed(ago = '1 minute') {
  const no = `PA-${randomUUID()}`;
  const { db, merchantId, accountId } = rows;
  await db.query(
    `INSERT INTO pre_auths (merchant_id, pre_auth_no, order_no, world, channel, channel_account_id, channel_pre_auth_no, currency, amount,
       status, body_hash, expires_at, closed_at, owner_checked_at)
     VALUES ($1, $2, $2, 'test', 'stripe', $3, $2, 'USD', 1000, 'canceled', '', now(), now() - $4::interval, now() - interval '1 year')`,
    [merchantId, no, accountId, ago],
  );
  const row = await lockPreAuth(db, merchantId, no);
  if (row === undefined) throw new Error('it is not there');
  return toHold(row);
}

describe('attention', () => {
  test('is for a closed hold with an open call, once', async () => {
    const hold = await closed();
    await insertCall(rows.db, {
      object: { merchantId: hold.merchantId, kind: 'pre_auth', no: hold.preAuthNo },
      ...{ channelAccountId: rows.accountId, operation: 'cancel', amount: 0, currency: 'USD', final: true },
      ...{ commandId: 'late/release', sentNow: false },
    });
    expect(await setNeedsAttention(rows.db, hold, 'unknown')).toBe(true);
    expect(await setNeedsAttention(rows.db, hold, 'unknown')).toBe(false);
  });

  test('is not for one without', async () => {
    expect(await setNeedsAttention(rows.db, await closed(), 'unknown')).toBe(false);
  });
});

describe('the look at what has closed', () => {
  test('reaches every object, however many stay at which nobody can look', async () => {
    const first = await closed('2 minutes');
    const second = await closed('1 minute');
    const met = new Set<string>();
    for (let look = 0; look < 100; look++)
      for (const { no } of await findUncheckedClosed(rows.db, 1)) met.add(no);
    expect([...met].sort()).toEqual([first.preAuthNo, second.preAuthNo].sort());
  });

  test('is given up after days', async () => {
    await closed('73 hours');
    const young = await closed('71 hours');
    expect((await findUncheckedClosed(rows.db, 10)).map(({ no }) => no)).toEqual([young.preAuthNo]);
  });
});
