/** A create that was declined, and what is known of its earlier sends: another channel is tried only where none can have arrived. */
import { randomUUID } from 'node:crypto';
import type { ActivityDeps } from '../../src/activities/deps';
import { createPaymentRecordActivities } from '../../src/activities/payment-records';
import { createRecordActivities } from '../../src/activities/records';
import { createLogger } from '../../src/observability/logger';
import { openRefundRows } from '../stores/refund-rows';
import type { RefundRows } from '../stores/refund-rows';

const DECLINED = { kind: 'declined', code: 'processing_error', providerCode: 'x' } as const;

let rows: RefundRows;
let deps: ActivityDeps;

beforeAll(async () => {
  rows = await openRefundRows();
  await rows.db.query(
    `INSERT INTO channel_accounts (id, world, channel, name, credentials_sealed) VALUES ($1, 'test', 'paypal', 'Next', 'x')`,
    [randomUUID()],
  );
  deps = {
    ...{ db: rows.db, box: rows.box, log: createLogger('test', 'fatal'), now: () => Date.now() },
    ...{ defaultMaxRetries: 5, ringOutbox: () => undefined, callOperator: () => undefined },
    adapterOf: () => Promise.resolve({ needsCompletion: () => false }),
  } as unknown as ActivityDeps;
});
afterAll(() => rows?.close());

interface Sends {
  readonly attempts: number;
  readonly notSent: number;
  readonly maybeSent: boolean;
}

/** One whose first create was proved absent, and whose second one has been sent like this. @returns that create */
async function sentAgain(kind: 'payment' | 'pre_auth', no: string, sends: Sends): Promise<string> {
  const { db, merchantId, accountId } = rows;
  const [table, number, status] =
    kind === 'payment'
      ? ['payments', 'payment_no', 'pending']
      : ['pre_auths', 'pre_auth_no', 'requires_payment_method'];
  await db.query(
    `INSERT INTO ${table} (merchant_id, ${number}, order_no, world, channel, channel_account_id, currency, amount, status, body_hash,
       expires_at) VALUES ($1, $2, $2, 'test', 'stripe', $3, 'USD', 1000, $4, '', now() + interval '1 hour')`,
    [merchantId, no, accountId, status],
  );
  await db.query(
    `INSERT INTO routing_decisions (merchant_id, kind, number, decision) VALUES ($1, $2, $3, '{"level":"smart","ranked":["stripe","paypal"]}')`,
    [merchantId, kind, no],
  );
  const [first, second] = [randomUUID(), randomUUID()];
  const { attempts, notSent, maybeSent } = sends;
  await db.query(
    `INSERT INTO channel_calls (id, merchant_id, object_kind, object_no, channel_account_id, operation, n, amount, currency,
       idempotency_key, command_id, state, settled_at, attempts, not_sent, maybe_sent, last_sent_at)
     VALUES ($1, $3, $4, $5, $6, 'create', 1, 1000, 'USD', $1::uuid::text, 'create', 'not_executed', now(), 1, 0, true, now()),
       ($2, $3, $4, $5, $6, 'create', 2, 1000, 'USD', $2::uuid::text, 'create', 'open', NULL, $7, $8, $9, now())`,
    [first, second, merchantId, kind, no, accountId, attempts, notSent, maybeSent],
  );
  return second;
}

describe.each(['payment', 'pre_auth'] as const)('a %s', (kind) => {
  async function declined(sends: Sends) {
    const { merchantId } = rows;
    const no = `NO-${randomUUID()}`;
    const callId = await sentAgain(kind, no, sends);
    const { movedTo } =
      kind === 'payment'
        ? await createPaymentRecordActivities(deps).recordPaymentAnswer(
            { merchantId, paymentNo: no },
            callId,
            DECLINED,
          )
        : await createRecordActivities(deps).recordAnswer({ merchantId, preAuthNo: no }, callId, DECLINED);
    const [table, number] = kind === 'payment' ? ['payments', 'payment_no'] : ['pre_auths', 'pre_auth_no'];
    const text = `SELECT channel, status = 'failed' AS failed FROM ${table} WHERE ${number} = $1`;
    const [row] = (await rows.db.query<{ channel: string; failed: boolean }>(text, [no])).rows;
    return { ...row, isMoved: movedTo !== undefined };
  }

  it.each<[string, Sends]>([
    ['was the answer to the only send', { attempts: 1, notSent: 0, maybeSent: false }],
    ['follows a send that never arrived', { attempts: 2, notSent: 1, maybeSent: false }],
  ])('goes to its next channel when the decline %s', async (_, sends) => {
    expect(await declined(sends)).toEqual({ channel: 'paypal', failed: false, isMoved: true });
  });

  it('ends where it is when the account of its next channel is switched off', async () => {
    const set = (to: string) =>
      rows.db.query(`UPDATE channel_accounts SET switched_off_at = ${to} WHERE channel = 'paypal'`);
    await set('now()');
    const sends = { attempts: 1, notSent: 0, maybeSent: false };
    expect(await declined(sends)).toEqual({ channel: 'stripe', failed: true, isMoved: false });
    await set('NULL');
  });

  it.each<[string, Sends]>([
    ['of which nobody knows whether it arrived', { attempts: 2, notSent: 0, maybeSent: true }],
    // Its process died before it could note anything.
    ['of which nothing was noted', { attempts: 2, notSent: 0, maybeSent: false }],
    [
      'of which nothing was noted, before one that never arrived',
      { attempts: 3, notSent: 1, maybeSent: false },
    ],
  ])('stays where it is when the decline follows a send %s', async (_, sends) => {
    expect(await declined(sends)).toEqual({ channel: 'stripe', failed: true, isMoved: false });
  });
});
