/**
 * The payment workflow on real servers, over a channel in memory whose customers approve first and whose money is taken by
 * a call of ours (as at PayPal), and which can lose answers and keep refusing.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Pool } from 'pg';
import { createActivities } from '../../src/activities';
import type { ActivityDeps } from '../../src/activities';
import { ChannelFault } from '../../src/domain/channel';
import type { Decline } from '../../src/domain/channel';
import { workflowIdOf } from '../../src/domain/ids';
import { paymentObject } from '../../src/domain/payment';
import { createLogger } from '../../src/observability/logger';
import { insertCall } from '../../src/stores/channel-calls';
import { insertPayment, readPayment } from '../../src/stores/payments';
import type { PaymentRow } from '../../src/stores/payments';
import { createDatabase } from '../../src/stores/postgres';
import { createSecretBox } from '../../src/stores/secret-box';
import { createObjectGateway } from '../../src/temporal/object-gateway';
import type { ObjectGateway } from '../../src/temporal/object-gateway';
import { registerSearchAttributes } from '../../src/temporal/search-attributes';
import type { PaymentState } from '../../src/workflows/messages';
import { eventually } from '../e2e/eventually';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';
import { ApprovingChannel, TRADE_AMOUNT } from './approving-channel';

const TASK_QUEUE = `payments-${randomUUID()}`;
const channel = new ApprovingChannel();
const DECLINED: Decline = { kind: 'declined', code: 'card_declined', providerCode: 'INSTRUMENT_DECLINED' };
/** How the channel's keys are kept; the horizon is over when a test says so. */
const capabilities = { horizonSeconds: 3_600, createHorizonSeconds: 3_600, findable: false };

let database: TestDatabase;
let db: Pool;
let connection: NativeConnection;
let worker: Worker;
let running: Promise<void>;
let gateway: ObjectGateway;
let client: Client;
const merchantId = randomUUID();
const accountId = randomUUID();

beforeAll(async () => {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'OFF', console: {} } },
  });
  database = await createTestDatabase();
  db = createDatabase({ ...database.config, DB_POOL_SIZE: 5 }, () => undefined);
  await db.query(
    `INSERT INTO merchants (id, account_id, world, name, webhook_secret_sealed) VALUES ($1, $1, 'test', 'M', '')`,
    [merchantId],
  );
  await db.query(
    `INSERT INTO channel_accounts (id, world, channel, name, credentials_sealed) VALUES ($1, 'test', 'paypal', 'A', '')`,
    [accountId],
  );
  const {
    TEMPORAL_ADDRESS = '',
    TEMPORAL_NAMESPACE: namespace = 'default',
    WORKFLOW_BUNDLE = '',
  } = process.env;
  connection = await NativeConnection.connect({ address: TEMPORAL_ADDRESS });
  client = new Client({ connection, namespace });
  await registerSearchAttributes(client);
  gateway = createObjectGateway(client, TASK_QUEUE);
  const activities = createActivities({
    ...{ db, workflows: gateway, log: createLogger('test', 'silent') },
    box: createSecretBox(`test:${randomBytes(32).toString('base64')}`),
    adapterOf: () => Promise.resolve(channel),
    paymentCapabilities: () => capabilities,
    ...{ exchangeTimeoutMs: 2_000, slowExchangeTimeoutMs: 2_000, proofGapMs: 200, proofAfterSendMs: 400 },
    ...{ defaultMaxRetries: 5, ringOutbox: () => undefined, callOperator: () => undefined },
    now: () => Date.now(),
  } as unknown as ActivityDeps);
  const workflowBundle = { codePath: WORKFLOW_BUNDLE };
  worker = await Worker.create({ connection, namespace, taskQueue: TASK_QUEUE, workflowBundle, activities });
  running = worker.run();
}, 60_000);

afterAll(async () => {
  worker.shutdown();
  await running;
  await connection.close();
  await db.end();
  await database.drop();
});

beforeEach(() => {
  channel.mishaps.clear();
  channel.down.clear();
  capabilities.horizonSeconds = 3_600;
  capabilities.createHorizonSeconds = 3_600;
});

const refOf = (no: string) => paymentObject({ merchantId, paymentNo: no });
const handleOf = (no: string) => client.workflow.getHandle(workflowIdOf(refOf(no)));

async function row(no: string): Promise<PaymentRow> {
  const found = await readPayment(db, merchantId, no);
  if (found === undefined) throw new Error(`no payment ${no}`);
  return found;
}

const reach = (no: string, status: string) =>
  eventually(
    `${no} is ${status}`,
    () => row(no),
    (payment) => payment.status === status,
  );

/** As an operator sees it. */
const untilAttention = (no: string) =>
  eventually(
    `${no} needs attention`,
    () => handleOf(no).query<PaymentState>('state'),
    ({ payment }) => payment?.needsAttention != null,
  );

/** As the API does it. */
async function open(expiresInSeconds = 600): Promise<string> {
  const no = `PY-${randomUUID()}`;
  const texts = {
    customer_email: null,
    description: null,
    country: null,
    return_url: null,
    notify_url: null,
  };
  await insertPayment(
    db,
    {
      ...{ merchant_id: merchantId, payment_no: no, order_no: no, world: 'test', channel: 'paypal' },
      ...{ channel_account_id: accountId, currency: 'USD', amount: TRADE_AMOUNT, ...texts, metadata: {} },
      ...{ body_hash: Buffer.alloc(32), expires_in_seconds: expiresInSeconds },
    },
    {
      ...{ channel: 'paypal', level: 'explicit', reason: 'the request names the channel', mode: 'balanced' },
      ...{ candidates: [], skipped: [], ranked: ['paypal'], config: { source: 'built_in', version: 0 } },
    },
  );
  await insertCall(db, {
    ...{ object: refOf(no), channelAccountId: accountId, operation: 'create', amount: TRADE_AMOUNT },
    ...{ currency: 'USD', final: true, commandId: 'create', sentNow: false },
  });
  await gateway.ensure(refOf(no));
  return no;
}

/** The customer's part, and the channel's event of it. */
async function approve(no: string): Promise<void> {
  const trade = channel.trades.get(no);
  if (trade !== undefined) trade.isApproved = true;
  await gateway.resync(refOf(no));
}

async function callsOf(no: string, operation: string): Promise<string[]> {
  const { rows } = await db.query<{ state: string }>(
    'SELECT state FROM channel_calls WHERE object_no = $1 AND operation = $2 ORDER BY n',
    [no, operation],
  );
  return rows.map(({ state }) => state);
}

it('takes the money when the customer has approved, under a call of its own', async () => {
  const no = await open();
  await reach(no, 'requires_action');
  await approve(no);
  expect(await reach(no, 'success')).toMatchObject({
    amount_paid: TRADE_AMOUNT,
    channel_trade_no: `T-${no}`,
  });
  expect(await callsOf(no, 'capture')).toEqual(['executed']);
  expect(channel.taken.filter((taken) => taken === no)).toHaveLength(1);
});

it.each(['lost_after', 'stored_error'] as const)(
  'takes it once although the answer is bad (%s)',
  async (mishap) => {
    const no = await open();
    await reach(no, 'requires_action');
    channel.mishaps.set('complete', [mishap]);
    await approve(no);
    await reach(no, 'success');
    // A stored error is followed by a new key only after two reads have shown that nothing was taken.
    expect(await callsOf(no, 'capture')).toEqual(
      mishap === 'stored_error' ? ['not_executed', 'executed'] : ['executed'],
    );
    expect(channel.taken.filter((taken) => taken === no)).toHaveLength(1);
  },
);

it.each([DECLINED, { tryAgain: DECLINED }])('stays open for another try after %j', async (mishap) => {
  const no = await open();
  await reach(no, 'requires_action');
  channel.mishaps.set('complete', [mishap]);
  await approve(no);
  await eventually(
    'the decline is written',
    () => row(no),
    ({ decline_code: code }) => code === 'card_declined',
  );
  expect(await callsOf(no, 'capture')).toEqual(['declined']);
  expect((await row(no)).closed_at).toBeNull();
  await approve(no);
  expect(await reach(no, 'success')).toMatchObject({ decline_code: null });
  expect(await callsOf(no, 'capture')).toEqual(['declined', 'executed']);
});

it('completes what was approved before it expires, and news that nobody told of', async () => {
  const no = await open(1);
  await reach(no, 'requires_action');
  const trade = channel.trades.get(no);
  if (trade !== undefined) trade.isApproved = true;
  // No event comes: the end of its time finds the approval before it finds the end.
  await eventually(
    'it has ended',
    () => row(no),
    ({ closed_at: closedAt }) => closedAt !== null,
  );
  const { status } = await row(no);
  expect(status).toBe(channel.taken.includes(no) ? 'success' : 'expired');
  expect(channel.trades.get(no)?.status).toBe(status === 'success' ? 'succeeded' : 'canceled');
});

it('asks an operator when the channel has forgotten the key, and takes their word', async () => {
  const no = await open();
  await reach(no, 'requires_action');
  capabilities.horizonSeconds = 1;
  channel.down.add('cancel');
  await handleOf(no).signal('cancel', { by: 'ops', reason: 'test' });
  await untilAttention(no);
  expect(await row(no)).toMatchObject({
    status: 'requires_action',
    needs_attention: expect.stringMatching(/cancel/) as string,
  });
  await handleOf(no).signal('settle', { by: 'ann', reason: 'seen in the dashboard', outcome: 'executed' });
  expect(await reach(no, 'cancelled')).toMatchObject({ needs_attention: null });
  const { rows } = await db.query<{ type: string; data: object }>(
    'SELECT type, data FROM payment_events WHERE object_no = $1 AND sequence < 0',
    [no],
  );
  expect(rows).toEqual([
    {
      type: 'operator.settled',
      data: {
        ...{ by: 'ann', reason: 'seen in the dashboard', outcome: 'executed', operation: 'cancel', n: 1 },
      },
    },
  ]);
});

it('does not make a create again whose key is forgotten, and fails by an operator’s word', async () => {
  capabilities.createHorizonSeconds = 1;
  channel.down.add('create');
  const no = await open();
  await untilAttention(no);
  await handleOf(no).signal('settle', { by: 'ann', reason: 'x', outcome: 'executed' });
  await handleOf(no).signal('settle', { by: 'ann', reason: 'not there', outcome: 'not_executed' });
  await reach(no, 'failed');
  expect(await handleOf(no).result()).toBe('failed');
  expect(channel.trades.has(no)).toBe(false);
});

it('does not take a create that may repeat another for the only one', async () => {
  // The first may have arrived before its step failed; the second certainly has not, which says nothing of the first.
  channel.crashes.push(new Error('a step that fails'), new ChannelFault('not_sent', 'nobody there'));
  const no = await open();
  await reach(no, 'requires_action');
  const { rows } = await db.query(
    'SELECT state, maybe_sent, not_sent FROM channel_calls WHERE object_no = $1',
    [no],
  );
  expect(rows).toEqual([{ state: 'executed', maybe_sent: true, not_sent: 1 }]);
});
