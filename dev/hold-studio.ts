/**
 * Holds on a running stack with the Stripe sandbox, driven through their lives to be recorded. The stack is given by the
 * environment (API_PORT, HOLDFAST_ADMIN_KEY, TEMPORAL_ADDRESS, STRIPE_API_BASE, DB_*, HOLDFAST_ENCRYPTION_KEYS).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { loadConfig } from '../src/config/config';
import { preAuthWorkflowId } from '../src/domain/ids';
import { createLogger } from '../src/observability/logger';
import { createFoundation, createLazyTemporalClient } from '../src/runtime';
import { CREDENTIALS_PURPOSE } from '../src/stores/channel-accounts';
import type { HistoryPath, HoldUnderTest, Studio } from './history-paths';
import { callApi, confirmHold, createDemoMerchant, getHold } from './demo-client';
import type { Hold } from './demo-client';
import { SANDBOX_SECRET_KEY, SANDBOX_WEBHOOK_SECRET } from './stack/settings';

const CLOSE_TIMEOUT_MS = 60_000;
const POLL_MS = 50;

const config = loadConfig();
const foundation = createFoundation(config, createLogger('record', 'warn'));
const temporal = createLazyTemporalClient(config);
const apiUrl = `http://${config.API_HOST}:${config.API_PORT}`;
const sandboxUrl = config.STRIPE_API_BASE;

async function post(url: string, body: object): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/** An account of the merchant's own, so that what is done to it concerns nobody else on the stack. */
async function ownAccount(merchantId: string, multipleCaptures: boolean): Promise<string> {
  const answer = await callApi<{ id: string }>(
    apiUrl,
    config.HOLDFAST_ADMIN_KEY,
    '/api/v1/admin/channel-accounts',
    {
      body: {
        channel: 'stripe',
        world: 'test',
        name: 'recorded',
        merchant_id: merchantId,
        credentials: { secret_key: SANDBOX_SECRET_KEY, webhook_secret: SANDBOX_WEBHOOK_SECRET },
        contract: { multipleCaptures },
      },
    },
  );
  if (answer.status !== 201) throw new Error(`an account was refused: ${answer.code} ${answer.message}`);
  return answer.data.id;
}

async function setSecretKey(accountId: string, secretKey: string): Promise<void> {
  const credentials = { secret_key: secretKey, webhook_secret: SANDBOX_WEBHOOK_SECRET };
  await foundation.db.query('UPDATE channel_accounts SET credentials_sealed = $2 WHERE id = $1', [
    accountId,
    foundation.box.seal(JSON.stringify(credentials), CREDENTIALS_PURPOSE),
  ]);
}

async function openStudio(path: HistoryPath): Promise<Studio> {
  const merchant = await createDemoMerchant(apiUrl, config.HOLDFAST_ADMIN_KEY, 'Recorded histories');
  const key = merchant.apiKey;
  const accountId =
    path.account === 'platform'
      ? undefined
      : await ownAccount(merchant.merchantId, path.account === 'multiple-captures');
  const preAuthNo = `REC-${path.name}`;
  const workflowId = preAuthWorkflowId(merchant.merchantId, preAuthNo);
  const handle = temporal.client.workflow.getHandle(workflowId);
  const hold: HoldUnderTest = { number: preAuthNo, channelNo: '', clientSecret: '' };
  return {
    hold,
    workflow: handle,
    sandbox: (address, body) => post(`${sandboxUrl}/_sandbox/${address}`, body),
    fault: (operation, fault, more = {}) =>
      post(`${sandboxUrl}/_sandbox/faults`, {
        match: { operation, metadata: { holdfast_id: workflowId } },
        fault,
        ...more,
      }),
    async create(fields) {
      const body = {
        pre_auth_no: preAuthNo,
        order_no: preAuthNo,
        amount: 50_000,
        currency: 'USD',
        channel: 'stripe',
        customer_email: 'guest@example.com',
        ...fields,
      };
      const answer = await callApi<Hold>(apiUrl, key, '/api/v1/channel/pre-auth', { body });
      hold.channelNo = answer.data?.channel_pre_auth_no ?? '';
      hold.clientSecret = answer.data?.client_secret ?? '';
      return answer.status;
    },
    async confirm(card) {
      const paid = { channel_pre_auth_no: hold.channelNo, client_secret: hold.clientSecret };
      await confirmHold(sandboxUrl, paid, card === undefined ? {} : { paymentMethod: card });
    },
    async command(verb, body = {}) {
      return (await callApi(apiUrl, key, `/api/v1/pre-auth/${preAuthNo}/${verb}`, { body })).status;
    },
    async reach(status) {
      const endMs = Date.now() + CLOSE_TIMEOUT_MS;
      for (let last = ''; last !== status;) {
        if (Date.now() > endMs) throw new Error(`${path.name}: the hold stayed ${last}, not ${status}`);
        await sleep(POLL_MS);
        last = (await getHold(apiUrl, key, preAuthNo)).status;
      }
    },
    breakAccount: () => setSecretKey(accountId ?? '', 'sk_test_revoked'),
    mendAccount: () => setSecretKey(accountId ?? '', SANDBOX_SECRET_KEY),
  };
}

/** Drives every path. @param record waits for the workflow's end and keeps its history */
export async function driveHolds(
  paths: readonly HistoryPath[],
  record: (path: HistoryPath, workflow: WorkflowHandle) => Promise<void>,
): Promise<void> {
  const allowMulticapture = (multicapture: boolean) =>
    post(`${sandboxUrl}/_sandbox/config`, { multicapture, secret_key: SANDBOX_SECRET_KEY });
  await allowMulticapture(true);
  try {
    for (const path of paths) {
      const studio = await openStudio(path);
      await path.drive(studio);
      await record(path, studio.workflow);
    }
  } finally {
    await allowMulticapture(false);
    await foundation.db.end();
    await temporal.connection.close();
  }
}
