/** Accounts at channels, the platform's and merchants' own. */
import { z } from 'zod';
import type { World } from '../../domain/channel';
import { fail } from '../../domain/errors';
import * as accounts from '../../stores/channel-accounts';
import { findMerchant } from '../../stores/merchants';
import type { Database, Queryable } from '../../stores/postgres';
import type { SecretBox } from '../../stores/secret-box';
import { checkWebhookUrl } from '../../webhooks/ssrf-guard';
import type { WebhookUrlPolicy } from '../../webhooks/ssrf-guard';
import { invalidRequest } from '../errors';
import { pageAnswer, pageOf, pageQuery, pageSchema } from '../pagination';
import { defineRoute } from '../route';
import type { Route } from '../route';
import type { TellRouters } from '../routing/deps';

const uuid = z.uuid();
const world = z.enum(['live', 'test']);
const contract = z.strictObject({
  multipleCaptures: z.boolean().optional().describe('The contract grants several captures of one hold'),
  preAuth: z.boolean().optional().describe('Alipay: fund authorisation (holds) is signed'),
  currencies: z
    .array(z.string().regex(/^[A-Z]{3}$/))
    .max(50)
    .optional()
    .describe('Alipay: currencies beside CNY, of a cross-border contract'),
});
const secret = z.string().min(8).max(255);
const id = z.string().min(1).max(255);
/** A key of RSA, as PEM or as bare base64. */
const rsaKey = z.string().min(100).max(10_000);
const credentials = {
  stripe: z.strictObject({ secret_key: secret, webhook_secret: secret }),
  paypal: z.strictObject({ client_id: id, client_secret: secret, webhook_id: id }),
  alipay: z.strictObject({
    app_id: id,
    app_private_key: rsaKey,
    alipay_public_key: rsaKey,
    seller_id: id.optional().describe('Needed for holds'),
  }),
  crypto: z.strictObject({
    base_url: z.string().min(1).max(500).describe('Address of the BTCPay Server'),
    store_id: id,
    api_key: secret,
    webhook_secret: secret,
  }),
};

export const accountView = z.object({
  id: uuid,
  channel: z.string(),
  world,
  merchant_id: uuid.nullable().describe("null: the platform's"),
  name: z.string(),
  contract: z.object(contract.shape),
  enabled: z.boolean(),
  switched_off_at: z.iso.datetime().nullable().describe('Since then it takes nothing new'),
  created_at: z.iso.datetime(),
});

export function showAccount(account: accounts.ChannelAccountSummary): unknown {
  return {
    id: account.id,
    channel: account.channel,
    world: account.world,
    merchant_id: account.merchantId,
    name: account.name,
    contract: account.contract,
    enabled: account.enabled,
    switched_off_at: account.switchedOffAt?.toISOString() ?? null,
    created_at: account.createdAt.toISOString(),
  };
}

const common = {
  world,
  merchant_id: uuid.optional().describe("Absent: the platform's account, for every merchant without its own"),
  name: z.string().trim().min(1).max(100),
  contract: contract.default({}),
};
const newAccount = z.discriminatedUnion('channel', [
  z.strictObject({ channel: z.literal('stripe'), credentials: credentials.stripe, ...common }),
  z.strictObject({ channel: z.literal('paypal'), credentials: credentials.paypal, ...common }),
  z.strictObject({ channel: z.literal('alipay'), credentials: credentials.alipay, ...common }),
  z.strictObject({ channel: z.literal('crypto'), credentials: credentials.crypto, ...common }),
]);
type NewAccount = z.infer<typeof newAccount>;

/** The two worlds never mix: neither through the merchant nor through the key. */
async function assertOneWorld(q: Queryable, body: NewAccount): Promise<void> {
  const keyWorld = body.channel === 'stripe' ? worldOfStripeKey(body.credentials.secret_key) : undefined;
  if (keyWorld !== undefined && keyWorld !== body.world) {
    throw invalidRequest([{ path: 'credentials.secret_key', message: `is a key of the ${keyWorld} world` }]);
  }
  if (body.merchant_id === undefined) return;
  const merchant = await findMerchant(q, body.merchant_id);
  if (merchant === undefined) throw invalidRequest([{ path: 'merchant_id', message: 'is no merchant' }]);
  if (merchant.world !== body.world) {
    throw invalidRequest([
      { path: 'world', message: `the merchant id belongs to the ${merchant.world} world` },
    ]);
  }
}

/** Without what was left out: the validator says undefined, stored is only what is there. */
function given<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}

function worldOfStripeKey(key: string): World | undefined {
  return /^[sr]k_(live|test)_/.exec(key)?.[1] as World | undefined;
}

/** The address is somebody's word: what it may be is what a webhook's may be, and connections are checked again. */
function assertPublicServer(body: NewAccount, policy: WebhookUrlPolicy): void {
  if (body.channel !== 'crypto') return;
  const verdict = checkWebhookUrl(body.credentials.base_url, policy);
  if (!verdict.ok)
    throw invalidRequest([{ path: 'credentials.base_url', message: `is not allowed: ${verdict.reason}` }]);
}

export interface AccountDeps {
  readonly db: Database;
  readonly box: SecretBox;
  /** Where servers of merchants may be. */
  readonly webhookUrlPolicy: WebhookUrlPolicy;
  /** Accounts are part of what routing goes by. Absent where nothing is routed. */
  readonly tellRouters?: TellRouters;
}

export function accountRoutes({ db, box, webhookUrlPolicy, tellRouters }: AccountDeps): Route[] {
  const admin = { tag: 'Administration', auth: 'admin', path: '/api/v1/admin/channel-accounts' } as const;
  const create = defineRoute({
    ...admin,
    method: 'post',
    idempotent: true,
    summary: 'Set up an account at a channel',
    description: 'The credentials are encrypted at rest and never shown again.',
    request: { body: newAccount },
    responses: { 201: { description: 'Set up', schema: accountView } },
    errors: ['CHANNEL_ACCOUNT_EXISTS'],
    async handler({ body, idem }) {
      const answer = await idem.runWithin(db, async (tx) => {
        await assertOneWorld(tx, body);
        assertPublicServer(body, webhookUrlPolicy);
        const { channel, world: ofWorld, name, merchant_id: merchantId = null } = body;
        const account = await accounts.createAccount(tx, box, {
          ...{ channel, world: ofWorld, name, merchantId },
          credentials: given(body.credentials),
          contract: given(body.contract),
        });
        if (account === undefined) throw fail('CHANNEL_ACCOUNT_EXISTS');
        return { status: 201, data: showAccount(account) };
      });
      // A repeat tells them too: whoever did the work may have died before it could.
      await tellRouters?.();
      return answer;
    },
  });
  const list = defineRoute({
    ...admin,
    method: 'get',
    summary: 'List accounts at channels, newest first',
    request: { query: z.strictObject(pageQuery) },
    responses: { 200: { description: 'One page', schema: pageSchema(accountView) } },
    errors: [],
    async handler({ query }) {
      const page = pageOf(query, uuid);
      const found = await accounts.listAccounts(db, { ...page, limit: page.limit + 1 });
      const placeOf = (entry: accounts.ChannelAccountSummary) => ({
        micros: entry.createdAtMicros,
        id: entry.id,
      });
      return { status: 200, data: pageAnswer(found, page.limit, placeOf, showAccount) };
    },
  });
  return [create, list];
}
