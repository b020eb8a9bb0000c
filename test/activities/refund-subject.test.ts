/** A refund and its channel, with an adapter in memory: what is found, what is hidden, what is asked again. */
import { randomUUID } from 'node:crypto';
import type {
  CreateRefundRequest,
  KnownRefund,
  RefundAnswer,
  RefundSnapshot,
} from '../../src/domain/channel-payment';
import type { RefundedRef } from '../../src/domain/refund';
import { createActivities } from '../../src/activities';
import type { ActivityDeps } from '../../src/activities';
import { reviewRefunds } from '../../src/activities/refund-late';
import { findRefund, refundScene, refundSubject } from '../../src/activities/refund-subject';
import type { RefundCall } from '../../src/activities/refund-subject';
import { showRefund } from '../../src/api/refunds/view';
import { createLogger } from '../../src/observability/logger';
import { insertCall } from '../../src/stores/channel-calls';
import { withTransaction } from '../../src/stores/postgres';
import { readRefund, REFUND_CLAIM_PURPOSE } from '../../src/stores/refunds';
import type { RefundRow } from '../../src/stores/refunds';
import { openRefundRows } from '../stores/refund-rows';
import type { RefundRows } from '../stores/refund-rows';

const EXCHANGE = { timeoutMs: 1_000 };
const IDENTITY = { idempotencyKey: 'k', holdfastId: 'h', holdfastCall: 'refund/1' };
const CLAIM = 'https://pay.example/claim/secret-token';

let rows: RefundRows;
let object: RefundedRef;
let row: RefundRow;
let call: RefundCall;
/** The channel: what it lists, what it answers, what it was asked. */
let listed: RefundSnapshot[];
let answer: RefundAnswer;
let asked: { requests: CreateRefundRequest[]; known: (readonly KnownRefund[] | undefined)[] };
let deps: ActivityDeps;

beforeAll(async () => {
  rows = await openRefundRows();
});
afterAll(() => rows?.close());

beforeEach(async () => {
  listed = [];
  asked = { requests: [], known: [] };
  answer = { kind: 'declined', code: 'invalid_amount', providerCode: 'nothing_left' };
  deps = depsWith();
  object = await rows.paid();
  const refundNo = await rows.refund(object, 400);
  const ref = { merchantId: rows.merchantId, kind: 'refund', no: refundNo } as const;
  const inserted = await insertCall<'refund'>(rows.db, {
    ...{ object: ref, channelAccountId: rows.accountId, operation: 'refund', amount: 400, currency: 'USD' },
    ...{ final: true, commandId: 'create', sentNow: true },
  });
  if (inserted === undefined) throw new Error('no call');
  call = inserted;
  row = await reread(refundNo);
});

function depsWith(): ActivityDeps {
  const verbs = {
    createPayment: () => undefined,
    createRefund: (request: CreateRefundRequest) => {
      asked.requests.push(request);
      return Promise.resolve(answer);
    },
    listRefunds: (_target: unknown, _exchange: unknown, known?: readonly KnownRefund[]) => {
      asked.known.push(known);
      return Promise.resolve(listed);
    },
  };
  return {
    ...{ db: rows.db, box: rows.box, log: createLogger('test', 'fatal') },
    adapterOf: () => Promise.resolve(verbs),
    paymentCapabilities: () => ({ horizonSeconds: 3_600 }),
    ...{ exchangeTimeoutMs: 1_000, slowExchangeTimeoutMs: 1_000, proofGapMs: 1, proofAfterSendMs: 1 },
    ...{ defaultMaxRetries: 5, ringOutbox: () => undefined, now: () => Date.now() },
  } as unknown as ActivityDeps;
}

async function reread(refundNo = row.refund_no): Promise<RefundRow> {
  const found = await readRefund(rows.db, rows.merchantId, refundNo);
  if (found === undefined) throw new Error('the refund is gone');
  return found;
}

const ours = (more: Partial<RefundSnapshot> = {}): RefundSnapshot => ({
  ...{ channelRefundNo: `re_${randomUUID()}`, status: 'pending', currency: 'USD', amount: 400 },
  ...{ refundNo: row.refund_no, holdfastId: `refund/${rows.merchantId}/${row.refund_no}` },
  ...more,
});

const carryOut = async (of: RefundCall) =>
  refundSubject(deps, row, await refundScene(deps, row)).carryOut(of, IDENTITY, EXCHANGE);
const find = async () => findRefund(deps, row, await refundScene(deps, row), 2, EXCHANGE);

test('the address where money is claimed never leaves the activities, and is shown to the merchant while it is needed', async () => {
  answer = { kind: 'pending', snapshot: ours({ claimUrl: CLAIM }) };
  expect(JSON.stringify(await carryOut(call))).not.toContain('claim');
  const stored = await reread();
  expect(stored.claim_sealed).not.toContain('secret-token');
  expect(rows.box.open(stored.claim_sealed ?? '', REFUND_CLAIM_PURPOSE)).toBe(CLAIM);
  expect(showRefund(stored, rows.box)).toMatchObject({ next_action: { type: 'redirect', url: CLAIM } });
  expect(showRefund(stored)).not.toHaveProperty('next_action');
  expect(showRefund({ ...stored, status: 'success' }, rows.box)).not.toHaveProperty('next_action');
  listed = [ours({ claimUrl: `${CLAIM}-renewed` })];
  expect(JSON.stringify(await find())).not.toContain('claim');
  expect(rows.box.open((await reread()).claim_sealed ?? '', REFUND_CLAIM_PURPOSE)).toBe(`${CLAIM}-renewed`);
});

test('a list is searched for our identity; one that failed counts only when there is no other', async () => {
  listed = [
    ours({ holdfastId: 'refund/other/RF', refundNo: row.refund_no }),
    ours({ holdfastId: 'refund/other/RF' }),
  ];
  expect(await find()).toBeUndefined();
  const failed = ours({ status: 'failed' });
  listed.push(failed);
  expect(await find()).toEqual(failed);
  const { holdfastId: _, ...byNumber } = ours({ status: 'succeeded' });
  listed.push(byNumber);
  expect(await find()).toEqual(byNumber);
  // What a channel without a list needs: every call that may have made it.
  const holdfastId = `refund/${rows.merchantId}/${row.refund_no}`;
  const known = ['refund/1', 'refund/2'].map((holdfastCall) => ({
    refundNo: row.refund_no,
    holdfastId,
    holdfastCall,
  }));
  expect(asked.known[0]).toEqual(known);
});

test('a decline of a first send is definite; of a later one it may be what our own earlier send brought about', async () => {
  listed = [ours({ status: 'succeeded' })];
  expect(await carryOut(call)).toEqual(answer);
  expect(asked.known).toHaveLength(0);
  expect(await carryOut({ ...call, attempts: 2 })).toEqual({ kind: 'done', snapshot: listed[0] });
  expect(await carryOut({ ...call, n: 2 })).toEqual({ kind: 'done', snapshot: listed[0] });
  listed = [];
  expect(await carryOut({ ...call, attempts: 2 })).toEqual(answer);
});

test('an answer is recorded once, with its reservation, and a decline gives that back', async () => {
  const { recordRefundAnswer } = createActivities(deps);
  const ref = { merchantId: rows.merchantId, refundNo: row.refund_no };
  for (let i = 0; i < 2; i += 1)
    expect(await recordRefundAnswer(ref, call.id, answer)).toMatchObject({ status: 'failed', version: 2 });
  expect(await rows.figures(object)).toEqual({ reserved: 0, external: 0 });
});

test('money that arrived late is refunded from its own row', async () => {
  const lateId = randomUUID();
  await rows.db.query(
    `INSERT INTO late_payments (id, merchant_id, object_kind, object_no, channel_account_id, channel_trade_no, kind, currency, amount, refund_reserved, state)
     VALUES ($1, $2, 'payment', $3, $4, 'TR-late', 'over', 'USD', 400, 400, 'refunding')`,
    [lateId, rows.merchantId, object.no, rows.accountId],
  );
  await rows.db.query('UPDATE refunds SET late_payment_id = $2 WHERE refund_no = $1', [
    row.refund_no,
    lateId,
  ]);
  row = await reread();
  expect((await refundScene(deps, row)).target).toMatchObject({ amount: 1_400 });
  const stateOf = async () =>
    (await rows.db.query('SELECT state, refund_reserved FROM late_payments WHERE id = $1', [lateId]))
      .rows[0] as unknown;
  const ref = { merchantId: rows.merchantId, refundNo: row.refund_no };
  const done = { kind: 'done', snapshot: ours({ status: 'succeeded', channelRefundNo: 're_late' }) } as const;
  await createActivities(deps).recordRefundAnswer(ref, call.id, done);
  expect(await stateOf()).toEqual({ state: 'refunded', refund_reserved: 400 });
  const cameBack = ours({ status: 'failed', channelRefundNo: 're_late' });
  await withTransaction(rows.db, (tx) => reviewRefunds(deps, tx, object, [cameBack]));
  expect(await stateOf()).toEqual({ state: 'needs_attention', refund_reserved: 0 });
  expect(await rows.figures(object)).toEqual({ reserved: 400, external: 0 });
});

test('one that comes back after it freed its order leaves the order alone, and is told once', async () => {
  const whole = await rows.paid();
  const refundNo = await rows.refund(whole, 1_000, { status: 'success', channelNo: 're_back' });
  await rows.db.query(`UPDATE order_claims SET number = 'PY-next' WHERE order_no = $1`, [whole.no]);
  const snapshot = {
    channelRefundNo: 're_back',
    status: 'failed',
    currency: 'USD',
    amount: 1_000,
    refundNo,
  } as const;
  for (let i = 0; i < 2; i += 1)
    await withTransaction(rows.db, (tx) => reviewRefunds(deps, tx, whole, [snapshot]));
  expect(await reread(refundNo)).toMatchObject({ status: 'failed', event_sequence: 1 });
  expect(await rows.figures(whole)).toEqual({ reserved: 0, external: 0 });
  const notes = await rows.db.query('SELECT type FROM payment_events WHERE object_no = $1 ORDER BY id', [
    refundNo,
  ]);
  expect(notes.rows).toEqual([{ type: 'refund.failed' }, { type: 'channel.refund_came_back' }]);
  const claims = await rows.db.query('SELECT number FROM order_claims WHERE order_no = $1', [whole.no]);
  expect(claims.rows).toEqual([{ number: 'PY-next' }]);
});
