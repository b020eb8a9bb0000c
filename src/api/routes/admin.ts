/** What operators do with the admin key: merchants, their API keys, accounts at channels. */
import { z } from 'zod';
import { fail } from '../../domain/errors';
import * as keys from '../../stores/api-keys';
import * as merchants from '../../stores/merchants';
import type { Queryable } from '../../stores/postgres';
import { pageAnswer, pageOf, pageQuery, pageSchema } from '../pagination';
import { defineRoute } from '../route';
import type { Route } from '../route';
import { accountRoutes } from './admin-accounts';
import type { AccountDeps } from './admin-accounts';

export type AdminDeps = AccountDeps;

const uuid = z.uuid();
const world = z.enum(['live', 'test']);
const timestamp = z.iso.datetime();
const pageRequest = z.strictObject(pageQuery);
const merchantParams = z.strictObject({ merchant_id: uuid });

export const merchantView = z.object({
  id: uuid,
  account_id: uuid,
  world,
  name: z.string(),
  tier: z.string(),
  status: z.enum(['active', 'suspended']),
  created_at: timestamp,
});

export function showMerchant(merchant: merchants.Merchant): z.infer<typeof merchantView> {
  return {
    id: merchant.id,
    account_id: merchant.accountId,
    world: merchant.world,
    name: merchant.name,
    tier: merchant.tier,
    status: merchant.status,
    created_at: merchant.createdAt.toISOString(),
  };
}

const keyView = z.object({
  id: uuid,
  name: z.string(),
  display: z.string().describe('The first characters, to recognise the key by'),
  created_at: timestamp,
  revoked_at: timestamp.nullable(),
});

function showKey(key: keys.ApiKey): z.infer<typeof keyView> {
  return {
    id: key.id,
    name: key.name,
    display: key.display,
    created_at: key.createdAt.toISOString(),
    revoked_at: key.revokedAt?.toISOString() ?? null,
  };
}

const placeOf = (entry: { createdAtMicros: number; id: string }) => ({
  micros: entry.createdAtMicros,
  id: entry.id,
});

export function adminRoutes(deps: AdminDeps): Route[] {
  return [...merchantRoutes(deps), ...keyRoutes(deps), ...accountRoutes(deps)];
}

const admin = { tag: 'Administration', auth: 'admin' } as const;

function merchantRoutes({ db, box }: AdminDeps): Route[] {
  const create = defineRoute({
    ...admin,
    method: 'post',
    idempotent: true,
    path: '/api/v1/admin/merchants',
    summary: 'Create a merchant',
    description: 'Makes one merchant id in each world. The default webhook secrets are shown only here.',
    request: { body: z.strictObject({ name: z.string().trim().min(1).max(200) }) },
    responses: {
      201: {
        description: 'Created',
        schema: z.object({
          account_id: uuid,
          name: z.string(),
          merchants: z.object({ live: merchantView, test: merchantView }),
          webhook_secrets: z.object({ live: z.string(), test: z.string() }),
        }),
      },
    },
    errors: [],
    handler: ({ body, idem }) =>
      idem.runWithin(db, async (tx) => {
        const { accountId, live, test, webhookSecrets } = await merchants.createMerchant(tx, box, body.name);
        const both = { live: showMerchant(live), test: showMerchant(test) };
        const data = {
          account_id: accountId,
          name: body.name,
          merchants: both,
          webhook_secrets: webhookSecrets,
        };
        return { status: 201, data };
      }),
  });
  const list = defineRoute({
    ...admin,
    method: 'get',
    path: '/api/v1/admin/merchants',
    summary: 'List merchants, newest first',
    request: { query: pageRequest },
    responses: { 200: { description: 'One page', schema: pageSchema(merchantView) } },
    errors: [],
    async handler({ query }) {
      const page = pageOf(query, uuid);
      const found = await merchants.listMerchants(db, { ...page, limit: page.limit + 1 });
      return { status: 200, data: pageAnswer(found, page.limit, placeOf, showMerchant) };
    },
  });
  const read = defineRoute({
    ...admin,
    method: 'get',
    path: '/api/v1/admin/merchants/{merchant_id}',
    summary: 'Read a merchant',
    request: { params: merchantParams },
    responses: { 200: { description: 'The merchant', schema: merchantView } },
    errors: ['NOT_FOUND'],
    async handler({ params }) {
      return { status: 200, data: showMerchant(await existingMerchant(db, params.merchant_id)) };
    },
  });
  return [create, list, read];
}

async function existingMerchant(q: Queryable, id: string): Promise<merchants.Merchant> {
  const merchant = await merchants.findMerchant(q, id);
  if (merchant === undefined) throw fail('NOT_FOUND');
  return merchant;
}

function keyRoutes({ db }: AdminDeps): Route[] {
  const path = '/api/v1/admin/merchants/{merchant_id}/api-keys';
  const create = defineRoute({
    ...admin,
    method: 'post',
    idempotent: true,
    path,
    summary: 'Issue an API key',
    description: "The key is shown only here. It belongs to the merchant id's world.",
    request: {
      params: merchantParams,
      body: z.strictObject({ name: z.string().trim().min(1).max(100) }),
    },
    responses: { 201: { description: 'Issued', schema: keyView.extend({ key: z.string() }) } },
    errors: ['NOT_FOUND'],
    handler: ({ params, body, idem }) =>
      idem.runWithin(db, async (tx) => {
        const owner = await existingMerchant(tx, params.merchant_id);
        const named = { merchantId: owner.id, world: owner.world, name: body.name };
        const { key, apiKey } = await keys.createApiKey(tx, named);
        return { status: 201, data: { ...showKey(apiKey), key } };
      }),
  });
  const list = defineRoute({
    ...admin,
    method: 'get',
    path,
    summary: 'List API keys, newest first',
    request: { params: merchantParams, query: pageRequest },
    responses: { 200: { description: 'One page', schema: pageSchema(keyView) } },
    errors: ['NOT_FOUND'],
    async handler({ params, query }) {
      const page = pageOf(query, uuid);
      const owner = await existingMerchant(db, params.merchant_id);
      const found = await keys.listApiKeys(db, owner.id, { ...page, limit: page.limit + 1 });
      return { status: 200, data: pageAnswer(found, page.limit, placeOf, showKey) };
    },
  });
  const revoke = defineRoute({
    ...admin,
    method: 'delete',
    path: `${path}/{key_id}`,
    summary: 'Revoke an API key',
    description: 'Works within 5 seconds everywhere. Revoking it again changes nothing.',
    request: { params: z.strictObject({ merchant_id: uuid, key_id: uuid }) },
    responses: { 200: { description: 'Revoked', schema: keyView } },
    errors: ['NOT_FOUND'],
    async handler({ params }) {
      const revoked = await keys.revokeApiKey(db, params.merchant_id, params.key_id);
      if (revoked === undefined) throw fail('NOT_FOUND');
      return { status: 200, data: showKey(revoked) };
    },
  });
  return [create, list, revoke];
}
