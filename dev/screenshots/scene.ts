/** What the pictures show: holds of a hotel in all their states, one whose release nobody can tell, and a webhook in retry. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { loadConfig } from '../../src/config/config';
import {
  askSandbox,
  callApi,
  captureHold,
  confirmHold,
  createDemoMerchant,
  createHold,
  createStripeAccount,
  registerSandboxEvents,
  waitForHold,
} from '../demo-client';
import { withClient } from '../stack/database';
import { SANDBOX_SECRET_KEY, SANDBOX_WEBHOOK_SECRET } from '../stack/settings';
import type { Stack } from '../stack/stack';

const POLL_MS = 200;
const PATIENCE_MS = 60_000;

/** A workflow to be taken a picture of. */
interface Subject {
  readonly workflowId: string;
  readonly runId: string;
}

export interface Scene {
  readonly merchantId: string;
  readonly hold: Subject;
  readonly webhook: Subject;
}

/** @param receiverUrl of a shop that takes no webhook */
export async function setScene(stack: Stack, receiverUrl: string): Promise<Scene> {
  const { environment, ports } = stack;
  const apiUrl = `http://127.0.0.1:${ports.api}`;
  const stripeUrl = environment['STRIPE_API_BASE'] ?? '';
  const adminKey = environment['HOLDFAST_ADMIN_KEY'] ?? '';
  const { merchantId, apiKey } = await createDemoMerchant(apiUrl, adminKey, 'Grand Hotel');
  const account = { name: 'Stripe', secretKey: SANDBOX_SECRET_KEY, webhookSecret: SANDBOX_WEBHOOK_SECRET };
  const accountId = await createStripeAccount(apiUrl, adminKey, account);
  if (accountId !== undefined) await registerSandboxEvents(stripeUrl, apiUrl, accountId);

  const idOf = (no: string) => `pre-auth/${merchantId}/${no}`;
  const open = (room: number, amount: number, more: object = {}) =>
    createHold(apiUrl, apiKey, {
      ...{ pre_auth_no: `ROOM-${room}`, order_no: `STAY-${4_000 + room}`, amount, currency: 'USD' },
      ...{ channel: 'stripe', ...more },
    });
  const hold = async (room: number, amount: number, more: object = {}) => {
    const made = await open(room, amount, more);
    await confirmHold(stripeUrl, made);
    return waitForHold(apiUrl, apiKey, made.pre_auth_no, ['requires_capture']);
  };

  await captureHold(apiUrl, apiKey, await hold(201, 50_000), 32_000);
  await captureHold(apiUrl, apiKey, await hold(202, 18_000));
  await open(305, 64_000);
  await hold(306, 120_000, { expires_in: 3_000 });
  const shown = await hold(307, 50_000);
  const retried = await hold(308, 42_500, { notify_url: receiverUrl });
  const stuck = await hold(309, 75_000);

  await askSandbox(`${stripeUrl}/_sandbox/faults`, {
    match: { operation: 'cancel', metadata: { holdfast_id: idOf(stuck.pre_auth_no) } },
    ...{ fault: 'error_before', times: 1_000 },
  });
  const canceling = callApi(apiUrl, apiKey, `/api/v1/pre-auth/${stuck.pre_auth_no}/cancel`, { body: {} });
  await withTemporal(environment, async (client) => {
    await makeUndecidable(environment, stuck.pre_auth_no);
    await client.workflow.getHandle(idOf(stuck.pre_auth_no)).signal('resync');
    await untilFound(client, 'HoldfastNeedsAttention = true');
    await canceling;
  });
  return withTemporal(environment, async (client) => ({
    merchantId,
    hold: await untilFound(client, `HoldfastNumber = '${shown.pre_auth_no}'`),
    webhook: await untilFound(
      client,
      `WorkflowType = 'webhookDelivery' AND HoldfastNumber = '${retried.pre_auth_no}'`,
    ),
  }));
}

/** Its call was sent so long ago that the channel's key must not be sent again. */
async function makeUndecidable(environment: Stack['environment'], no: string): Promise<void> {
  const config = loadConfig(environment);
  await withClient(config, config.DB_NAME, async (db) => {
    for (const endMs = Date.now() + PATIENCE_MS; Date.now() < endMs; await sleep(POLL_MS)) {
      const { rowCount } = await db.query(
        `UPDATE channel_calls SET created_at = created_at - interval '24 hours'
         WHERE object_no = $1 AND operation = 'cancel' AND attempts > 0`,
        [no],
      );
      if ((rowCount ?? 0) > 0) return;
    }
    throw new Error(`the release of ${no} was never sent`);
  });
}

async function untilFound(client: Client, query: string): Promise<Subject> {
  for (const endMs = Date.now() + PATIENCE_MS; Date.now() < endMs; await sleep(POLL_MS)) {
    for await (const { workflowId, runId } of client.workflow.list({ query })) return { workflowId, runId };
  }
  throw new Error(`nothing was found by ${query}`);
}

async function withTemporal<T>(
  { TEMPORAL_ADDRESS: address = '', TEMPORAL_NAMESPACE: namespace = 'default' }: Stack['environment'],
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await work(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}

/** A shop whose server is down: it answers 503 to everything. @returns its address, and its end */
export async function closedShop(): Promise<{ url: string; close: () => void }> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(503).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks`;
  return { url, close: () => void server.close() };
}
