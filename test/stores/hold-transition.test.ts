/**
 * Answers of channels are recorded at once without a lock, or else under the locks of hold and call: what happens to the hold
 * at the same moment must not be lost.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import type { ActivityDeps, HoldRef } from '../../src/activities/deps';
import { recordAtOnce } from '../../src/activities/hold-answer';
import { createRecordActivities } from '../../src/activities/records';
import type { HoldAnswer, HoldSnapshot } from '../../src/domain/channel';
import type { ChannelCall } from '../../src/domain/channel-call';
import { insertCall, settleCall, touchCall } from '../../src/stores/channel-calls';
import { nextEventOf } from '../../src/stores/event-subjects';
import { appendEvent } from '../../src/stores/outbox';
import { withTransaction } from '../../src/stores/postgres';
import { readPreAuth } from '../../src/stores/pre-auths';
import { openRefundRows } from './refund-rows';
import type { RefundRows } from './refund-rows';

let rows: RefundRows;
let deps: ActivityDeps;
let activities: ReturnType<typeof createRecordActivities>;

beforeAll(async () => {
  rows = await openRefundRows();
  const needed: Partial<ActivityDeps> = {
    db: rows.db,
    callOperator: () => undefined,
    defaultMaxRetries: 3,
    ringOutbox: () => undefined,
    now: Date.now,
  };
  deps = needed as ActivityDeps;
  activities = createRecordActivities(deps);
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

describe('at once, by what was read before the channel was asked', () => {
  const LONGER_THAN_AT_ONCE_MS = 900;

  /** What a capture's activity has in its hands when the channel has answered. */
  async function answered() {
    const scene = await captureUnderWay();
    const { ref, call, answer } = scene;
    const row = await readPreAuth(rows.db, ref.merchantId, ref.preAuthNo);
    if (row === undefined) throw new Error('no hold');
    return { scene, record: () => recordAtOnce(deps, row, call, answer) };
  }

  const eventsOf = async (scene: Scene) => (await written(scene)).events;
  const ONE_CAPTURE = [{ sequence: 1, type: 'pre_auth.captured' }];

  it('and what another run records at the same moment is recorded once', async () => {
    const { scene, record } = await answered();
    const results = await Promise.all([record(), record(), record()]);
    const ours = results.filter((one) => one !== undefined);
    expect(ours).toHaveLength(1);
    expect(ours[0]).toMatchObject({ result: { kind: 'done', amount: 300 }, hold: { amountCaptured: 300 } });
    expect((await written(scene)).hold).toEqual(CAPTURED);
    expect(await eventsOf(scene)).toEqual(ONE_CAPTURE);
  });

  it('beside another send of the same call', async () => {
    const { scene, record } = await answered();
    const recorded = await withTransaction(rows.db, async (tx) => {
      await touchCall(tx, scene.call);
      const recording = record();
      await sleep(LONG_ENOUGH_TO_WAIT_MS);
      return [recording];
    });
    expect(await recorded[0]).toMatchObject({ result: { kind: 'done' } });
    expect((await written(scene)).hold).toEqual(CAPTURED);
  });

  it.each<[string, (tx: PoolClient, scene: Scene) => Promise<unknown>]>([
    [
      'the hold has moved on',
      (tx, { ref }) =>
        tx.query('UPDATE pre_auths SET version = version + 1 WHERE pre_auth_no = $1', [ref.preAuthNo]),
    ],
    [
      'a dispute has taken a number of its events',
      (tx, { ref }) => nextEventOf(tx, { merchantId: ref.merchantId, kind: 'pre_auth', no: ref.preAuthNo }),
    ],
    [
      'the call was settled otherwise',
      (tx, { call }) => settleCall(tx, { callId: call.id, state: 'not_executed', outcome: {} }),
    ],
  ])('nothing when %s meanwhile', async (_, meanwhile) => {
    const { scene, record } = await answered();
    const recorded = await withTransaction(rows.db, async (tx) => {
      await meanwhile(tx, scene);
      const recording = record();
      await sleep(LONG_ENOUGH_TO_WAIT_MS);
      return [recording];
    });
    expect(await recorded[0]).toBeUndefined();
    expect((await written(scene)).hold).toMatchObject({ amount_captured: 0 });
    expect(await eventsOf(scene)).toEqual([]);
  });

  it('or else under the locks, and once, when the database takes too long', async () => {
    const { scene, record } = await answered();
    const { ref, call, answer } = scene;
    const recorded = await withTransaction(rows.db, async (tx) => {
      await tx.query('SELECT 1 FROM pre_auths WHERE pre_auth_no = $1 FOR UPDATE', [ref.preAuthNo]);
      const beganAtMs = Date.now();
      const recording = record();
      expect(await recording).toBeUndefined();
      expect(Date.now() - beganAtMs).toBeLessThan(LONGER_THAN_AT_ONCE_MS);
      return [activities.recordAnswer(ref, call.id, answer)];
    });
    expect((await recorded[0])?.result).toMatchObject({ kind: 'done', amount: 300 });
    // Whichever of the two was first, the other finds it done.
    await sleep(LONG_ENOUGH_TO_WAIT_MS);
    expect((await written(scene)).hold).toEqual(CAPTURED);
    expect(await eventsOf(scene)).toEqual(ONE_CAPTURE);
  });
});
