/**
 * A deploy while holds are open: what was begun by workers of the previous build (test/workflows/previous-workflows.json) is
 * finished by workers of this one, on real processes and a real Temporal. A change of the workflows that breaks what is
 * under way fails here and in test/workflows/replay.test.ts; docs/versioning.md says how to change them.
 */
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { temporal } from '@temporalio/proto';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { payloadConverter } from '../../dev/stack/payloads';
import { webhookDeliveryWorkflowId } from '../../src/workflows/messages';
import { bundleKept, keptFolder } from '../workflows/kept-workflows';
import { expectAgreement } from './checks';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import { holdOf } from './merchant-client';
import type { MerchantClient } from './merchant-client';
import { PaymentClient, paymentWorkflowId } from './payment-client';
import type { PaymentView } from './payment-client';

const { EventType } = temporal.api.enums.v1;

const converter = payloadConverter(process.env);

let system: System;
let client: MerchantClient;
let payments: PaymentClient;
let previous: string;
let receiverAnswers = 503;
const receiver = createServer((request, response) => {
  request.resume();
  response.writeHead(receiverAnswers).end();
});

beforeAll(async () => {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'OFF', console: {} } },
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  previous = await bundleKept('previous', converter);
  system = await startSystem({
    workerCount: 0,
    environment: { WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8', WEBHOOK_INITIAL_BACKOFF: '2' },
  });
  client = system.client();
  payments = new PaymentClient(client, system.sandbox.url);
}, 120_000);
afterAll(async () => {
  await system?.stop();
  receiver.closeAllConnections();
  receiver.close();
  if (previous !== undefined) rmSync(keptFolder(previous), { recursive: true, force: true });
});

const notifyUrl = () => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hooks`;

const historyOf = (workflowId: string) => system.temporal.workflow.getHandle(workflowId).fetchHistory();
type History = Awaited<ReturnType<typeof historyOf>>;

/** Builds that completed workflow tasks of it, in order; and how many tasks failed. */
function tasksOf(history: History): { builds: string[]; failed: number } {
  const events = history.events ?? [];
  const builds = events.flatMap((event) => {
    const done = event.workflowTaskCompletedEventAttributes;
    const build = done?.deploymentVersion?.buildId ?? done?.workerVersion?.buildId;
    return done == null ? [] : [build ?? ''];
  });
  const failed = events.filter(({ eventType }) => eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED);
  return { builds: [...new Set(builds)], failed: failed.length };
}

describe('what the previous build began', () => {
  const open = {} as Record<'unconfirmed' | 'held' | 'toCancel' | 'toExpire', string>;
  let payment: PaymentView;
  let notificationId = '';
  const histories: [string, History][] = [];
  const workflowIds = () => [
    ...Object.values(open).map((no) => system.workflowId(no)),
    paymentWorkflowId(system, payment.payment_no),
    webhookDeliveryWorkflowId(notificationId),
  ];

  beforeAll(async () => {
    const [worker, webhooks] = await Promise.all([
      system.startWorker({ WORKFLOW_BUNDLE: previous }),
      system.startWebhooks({ WORKFLOW_BUNDLE: previous }),
    ]);
    const create = async (fields: object = {}) => {
      const reply = await client.create(holdOf(fields));
      expect(reply.status).toBe(201);
      return reply.data;
    };
    const unconfirmed = await create();
    open.unconfirmed = unconfirmed.pre_auth_no;
    open.held = (await client.held(system.sandbox.url, { notify_url: notifyUrl() })).pre_auth_no;
    open.toCancel = (await client.held(system.sandbox.url)).pre_auth_no;
    open.toExpire = (await client.held(system.sandbox.url, { expires_in: 12 })).pre_auth_no;
    payment = await payments.open();
    const [row] = await eventually(
      'a notification in retry',
      () =>
        system.rows<{ id: string }>(
          `SELECT id FROM webhook_notifications WHERE payment_no = $1 AND status = 'retrying'`,
          [open.held],
        ),
      (rows) => rows.length > 0,
    );
    notificationId = row?.id ?? '';
    await eventually(
      'its workflow',
      () => historyOf(webhookDeliveryWorkflowId(notificationId)).catch(() => undefined),
      (history) => history !== undefined,
    );
    for (const id of workflowIds()) histories.push([id, await historyOf(id)]);
    await Promise.all([worker.stop(), webhooks.stop()]);
    receiverAnswers = 200;
    await Promise.all([system.startWorker(), system.startWebhooks()]);

    await client.confirm(system.sandbox.url, unconfirmed);
    await client.waitFor(open.unconfirmed, 'requires_capture');
  }, 120_000);

  test.each(['unconfirmed', 'held'] as const)('is captured by this one: %s', async (which) => {
    const reply = await client.capture(open[which], { amount: 20_000 });
    expect(reply).toMatchObject({ status: 200, data: { amount_captured: 20_000, status: 'succeeded' } });
    await expectAgreement(system, open[which]);
  });

  test('is cancelled by this one', async () => {
    expect(await client.cancel(open.toCancel)).toMatchObject({ status: 200, data: { status: 'canceled' } });
    await expectAgreement(system, open.toCancel);
  });

  test('expires under this one', async () => {
    await client.waitFor(open.toExpire, 'expired');
    await expectAgreement(system, open.toExpire);
  });

  test('is paid under this one', async () => {
    await payments.pay(payment);
    expect(await payments.waitFor(payment.payment_no, 'success')).toMatchObject({ amount_paid: 50_000 });
  });

  test('is delivered by this one', async () => {
    await eventually(
      'the delivery',
      () =>
        system.rows<{ status: string }>('SELECT status FROM webhook_notifications WHERE id = $1', [
          notificationId,
        ]),
      ([row]) => row?.status === 'success',
    );
  });

  test('shows both builds and no failed task', async () => {
    const began = new Map(histories);
    for (const id of workflowIds()) {
      await eventually(
        `the end of ${id}`,
        () => system.temporal.workflow.getHandle(id).describe(),
        ({ status }) => status.name === 'COMPLETED',
      );
      const { builds, failed } = tasksOf(await historyOf(id));
      expect({ id, builds: builds.length, failed }).toEqual({ id, builds: 2, failed: 0 });
      expect(tasksOf(began.get(id)!).builds).toEqual(builds.slice(0, 1));
      expect(builds[0]).toMatch(/^\d+\.\d+\.\d+-[0-9a-f]{12}$/);
    }
  });

  test('replays with this build, and a build that breaks it is noticed', async () => {
    const present = { codePath: String(system.environment['WORKFLOW_BUNDLE']) };
    const dataConverter = converter;
    for (const [id, history] of histories)
      await Worker.runReplayHistory({ workflowBundle: present, dataConverter }, history, id);

    let changed = 0;
    const broken = await bundleKept('broken', converter, (path, source) => {
      if (path !== 'workflows/pre-auth.js') return source;
      const other = source
        .replace('allHandlersFinished,', 'allHandlersFinished, sleep,')
        .replace('const desk = new HoldDesk();', 'const desk = new HoldDesk(); await sleep(1);');
      changed += other === source ? 0 : 1;
      return other;
    });
    try {
      expect(changed).toBe(1);
      const workflowBundle = { codePath: broken };
      const [id, history] = histories.find(([name]) => name === system.workflowId(open.held))!;
      await expect(Worker.runReplayHistory({ workflowBundle, dataConverter }, history, id)).rejects.toThrow(
        DeterminismViolationError,
      );
    } finally {
      rmSync(keptFolder(broken), { recursive: true, force: true });
    }
  }, 60_000);
});
