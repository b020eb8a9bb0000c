/** Accounts at channels, the platform's and merchants' own. */
import { z } from 'zod';
import type { World } from '../../domain/channel';
import { fail } from '../../domain/errors';
import * as accounts from '../../stores/channel-accounts';
import { findMerchant } from '../../stores/merchants';
import type { Database } from '../../stores/postgres';
import type { SecretBox } from '../../stores/secret-box';
import { invalidRequest } from '../errors';
import { pageAnswer, pageOf, pageQuery, pageSchema } from '../pagination';
import { defineRoute } from '../route';
import type { Route } from '../route';

const uuid = z.uuid();
const world = z.enum(['live', 'test']);
const contract = z.strictObject({
  multipleCaptures: z.boolean().optional().describe('The contract grants several captures of one hold'),
});
const stripeCredentials = z.strictObject({
  secret_key: z.string().min(8).max(255),
  webhook_secret: z.string().min(8).max(255),
});

const accountView = z.object({
  id: uuid,
  channel: z.string(),
  world,
  merchant_id: uuid.nullable().describe("null: the platform's"),
  name: z.string(),
  contract: z.object({ multipleCaptures: z.boolean().optional() }),
  enabled: z.boolean(),
  created_at: z.iso.datetime(),
});

function showAccount(account: accounts.ChannelAccountSummary): unknown {
  return {
    id: account.id,
    channel: account.channel,
    world: account.world,
    merchant_id: account.merchantId,
    name: account.name,
    contract: account.contract,
    enabled: account.enabled,
    created_at: account.createdAt.toISOString(),
  };
}

const newAccount = z.strictObject({
  channel: z.enum(['stripe']),
  world,
  merchant_id: uuid.optional().describe("Absent: the platform's account, for every merchant without its own"),
  name: z.string().trim().min(1).max(100),
  credentials: stripeCredentials,
  contract: contract.default({}),
});

/** The two worlds never mix: neither through the merchant nor through the key. */
async function assertOneWorld(db: Database, body: z.infer<typeof newAccount>): Promise<void> {
  const keyWorld = worldOfStripeKey(body.credentials.secret_key);
  if (keyWorld !== undefined && keyWorld !== body.world) {
    throw invalidRequest([{ path: 'credentials.secret_key', message: `is a key of the ${keyWorld} world` }]);
  }
  if (body.merchant_id === undefined) return;
  const merchant = await findMerchant(db, body.merchant_id);
  if (merchant === undefined) throw invalidRequest([{ path: 'merchant_id', message: 'is no merchant' }]);
  if (merchant.world !== body.world) {
    throw invalidRequest([
      { path: 'world', message: `the merchant id belongs to the ${merchant.world} world` },
    ]);
  }
}

function worldOfStripeKey(key: string): World | undefined {
  return /^[sr]k_(live|test)_/.exec(key)?.[1] as World | undefined;
}

export function accountRoutes({ db, box }: { db: Database; box: SecretBox }): Route[] {
  const admin = { tag: 'Administration', auth: 'admin', path: '/api/v1/admin/channel-accounts' } as const;
  const create = defineRoute({
    ...admin,
    method: 'post',
    summary: 'Set up an account at a channel',
    description: 'The credentials are encrypted at rest and never shown again.',
    request: { body: newAccount },
    responses: { 201: { description: 'Set up', schema: accountView } },
    errors: ['CHANNEL_ACCOUNT_EXISTS'],
    async handler({ body }) {
      await assertOneWorld(db, body);
      const { merchant_id: merchantId = null, ...rest } = body;
      const granted = body.contract.multipleCaptures;
      const account = await accounts.createAccount(db, box, {
        ...rest,
        merchantId,
        contract: granted === undefined ? {} : { multipleCaptures: granted },
      });
      if (account === undefined) throw fail('CHANNEL_ACCOUNT_EXISTS');
      return { status: 201, data: showAccount(account) };
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
