/** Answers of channels are recorded without a lock: what happens to the hold at the same moment must not be lost. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ActivityDeps, HoldRef } from '../../src/activities/deps';
import { createRecordActivities } from '../../src/activities/records';
import type { HoldAnswer, HoldSnapshot } from '../../src/domain/channel';
import type { ChannelCall } from '../../src/domain/channel-call';
import { insertCall, touchCall } from '../../src/stores/channel-calls';
import { nextEventOf } from '../../src/stores/event-subjects';
import { appendEvent } from '../../src/stores/outbox';
import { withTransaction } from '../../src/stores/postgres';
import { openRefundRows } from './refund-rows';
import type { RefundRows } from './refund-rows';

let rows: RefundRows;
let activities: ReturnType<typeof createRecordActivities>;

beforeAll(async () => {
  rows = await openRefundRows();
  const deps: Partial<ActivityDeps> = {
    db: rows.db,
    callOperator: () => undefined,
    defaultMaxRetries: 3,
    ringOutbox: () => undefined,
    now: Date.now,
  };
  activities = createRecordActivities(deps as ActivityDeps);
  await rows.db.query(
    `INSERT INTO webhook_endpoints (id, merchant_id, kind, url) VALUES ($1, $2, 'explicit', 'https://shop.example/')`,
    [randomUUID(), rows.merchantId],
  );
});
afterAll(() => rows.close());

interface Scene {
  readonly ref: HoldRef;
  readonly call: ChannelCall;
  readonly answer: HoldAnswer;
}

/** A hold of 1000 with a capture of 300 under way, and what the channel answers it. */
async function captureUnderWay(): Promise<Scene> {
  const { db, merchantId, accountId: channelAccountId } = rows;
  const no = `PA-${randomUUID()}`;
  await db.query(
    `INSERT INTO pre_auths (merchant_id, pre_auth_no, order_no, world, channel, channel_account_id, channel_pre_auth_no, currency,
       amount, amount_capturable, status, body_hash, expires_at, multiple_captures)
     VALUES ($1, $2, $2, 'test', 'stripe', $3, $2, 'USD', 1000, 1000, 'requires_capture', '\\x00', now() + interval '1 day', true)`,
    [merchantId, no, channelAccountId],
  );
  const call = await insertCall(
    db,
    {
      object: { merchantId, kind: 'pre_auth', no },
      ...{ channelAccountId, operation: 'capture', amount: 300, currency: 'USD', final: false },
      ...{ commandId: randomUUID(), sentNow: true },
    },
    1,
  );
  if (call === undefined) throw new Error('the call was not written');
  const snapshot: HoldSnapshot = {
    ...{ channelPreAuthNo: no, status: 'requires_capture', currency: 'USD' },
    ...{ amount: 1000, amountCapturable: 700, amountCaptured: 300 },
  };
  return { ref: { merchantId, preAuthNo: no }, call, answer: { kind: 'done', snapshot } };
}

async function written({ ref }: Scene) {
  const ask = async (text: string) => (await rows.db.query(text, [ref.preAuthNo])).rows as unknown[];
  const [hold] = await ask(
    'SELECT version, event_sequence, amount_captured FROM pre_auths WHERE pre_auth_no = $1',
  );
  const events = await ask(
    'SELECT sequence, type FROM payment_events WHERE object_no = $1 ORDER BY sequence',
  );
  const told = await ask(
    'SELECT event FROM webhook_notifications WHERE payment_no = $1 ORDER BY created_at, event',
  );
  return { hold, events, told };
}

const CAPTURED = { version: 2, event_sequence: 1, amount_captured: 300 };
const LONG_ENOUGH_TO_WAIT_MS = 300;

it('beside another send of the same call', async () => {
  const scene = await captureUnderWay();
  const recorded = await withTransaction(rows.db, async (tx) => {
    await touchCall(tx, scene.call);
    const recording = activities.recordAnswer(scene.ref, scene.call.id, scene.answer);
    await sleep(LONG_ENOUGH_TO_WAIT_MS);
    return [recording];
  });
  expect((await recorded[0])?.result).toMatchObject({
    kind: 'done',
    amount: 300,
    hold: { amountCaptured: 300 },
  });
  expect((await written(scene)).hold).toEqual(CAPTURED);
});

it('three times at once, once by an operator who says otherwise: one end, one event', async () => {
  const scene = await captureUnderWay();
  const { ref, call, answer } = scene;
  const recordings = await withTransaction(rows.db, async (tx) => {
    await tx.query('SELECT 1 FROM pre_auths WHERE pre_auth_no = $1 FOR UPDATE', [ref.preAuthNo]);
    const all = [
      activities.recordAnswer(ref, call.id, answer),
      activities.recordAnswer(ref, call.id, answer),
      activities.settleByOperator(ref, call.id, { by: 'ops', reason: 'test', outcome: 'not_executed' }),
    ];
    await sleep(LONG_ENOUGH_TO_WAIT_MS);
    return all;
  });
  const results = (await Promise.all(recordings)).map(({ result }) => result);
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
  expect((await written(scene)).hold).toMatchObject({ version: 2 });
});

it('beside news of a dispute, which takes a number of the hold’s events: both are told', async () => {
  const scene = await captureUnderWay();
  const { ref, call, answer } = scene;
  const { merchantId, preAuthNo: no } = ref;
  const recorded = await withTransaction(rows.db, async (tx) => {
    const subject = await nextEventOf(tx, { merchantId, kind: 'pre_auth', no });
    await appendEvent(tx, {
      ...{ merchantId, objectKind: 'pre_auth', objectNo: no, orderNo: no, sequence: subject.event_sequence },
      ...{ type: 'dispute.opened', status: subject.status, amount: 1, currency: 'USD', at: new Date() },
      ...{ extra: {}, notifyUrl: null, defaultMaxRetries: 3 },
    });
    const recording = activities.recordAnswer(ref, call.id, answer);
    await sleep(LONG_ENOUGH_TO_WAIT_MS);
    return [recording];
  });
  await recorded[0];
  expect(await written(scene)).toEqual({
    hold: { ...CAPTURED, event_sequence: 2 },
    events: [
      { sequence: 1, type: 'dispute.opened' },
      { sequence: 2, type: 'pre_auth.captured' },
    ],
    told: [{ event: 'dispute.opened' }, { event: 'pre_auth.captured' }],
  });
});
