/** What operators configure of routing: channels, fees, rules, merchants. */
import { z } from 'zod';
import { fail } from '../../domain/errors';
import { findMerchant } from '../../stores/merchants';
import type { Queryable } from '../../stores/postgres';
import {
  removeSetting,
  saveChannel,
  saveFee,
  saveMerchantRouting,
  saveRule,
} from '../../stores/routing-admin';
import type { StoredSettings } from '../../stores/routing-config';
import { listFees, readChannels, readMerchantRouting, readRules } from '../../stores/routing-rows';
import type { FeeRow, RuleRow } from '../../stores/routing-rows';
import { pageAnswer, pageOf, pageSchema } from '../pagination';
import { defineRoute } from '../route';
import type { Route } from '../route';
import { applied, appliedIfThere, changedBy, createdOnce, rowOf } from '../routing/change';
import type { RoutingAdminDeps } from '../routing/deps';
import * as schemas from '../routing/schemas';
import { showChannel, showChannels, showFee, showMerchantRouting, showRule } from '../routing/view';

const PATH = '/api/v1/admin/routing';
const admin = { tag: 'Administration', auth: 'admin' } as const;

export function adminRoutingRoutes(deps: RoutingAdminDeps): Route[] {
  return [...channelRoutes(deps), ...feeRoutes(deps), ...ruleRoutes(deps), ...merchantRoutes(deps)];
}

const channelAnswer = { 200: { description: 'Its settings', schema: schemas.channelView } };

function channelRoutes(deps: RoutingAdminDeps): Route[] {
  const { db } = deps;
  const one = { ...admin, path: `${PATH}/channels/{channel}`, responses: channelAnswer } as const;
  const list = defineRoute({
    ...admin,
    method: 'get',
    path: `${PATH}/channels`,
    summary: 'List the channels and their settings',
    request: {},
    responses: {
      200: { description: 'All channels', schema: z.object({ items: z.array(schemas.channelView) }) },
    },
    errors: [],
    handler: async () => ({ status: 200, data: { items: showChannels(await readChannels(db)) } }),
  });
  const read = defineRoute({
    ...one,
    method: 'get',
    summary: 'Read the settings of a channel',
    request: { params: schemas.channelParams },
    errors: [],
    handler: async ({ params: { channel } }) => {
      const row = (await readChannels(db)).find((each) => each.channel === channel);
      return { status: 200, data: showChannel(channel, row) };
    },
  });
  const replace = defineRoute({
    ...one,
    method: 'put',
    summary: 'Configure a channel',
    description: 'The settings are taken whole. In effect everywhere within a second.',
    request: { params: schemas.channelParams, body: schemas.channelBody },
    errors: ['ROUTING_CHANGED', 'ROUTING_LIMIT'],
    handler: async ({ params: { channel }, body, ...asked }) => {
      const by = changedBy(asked, body.version);
      // Of JSON: what is absent is absent, and never undefined.
      const settings = body.settings as StoredSettings;
      const row = await applied(deps, saveChannel(db, by, channel, settings));
      return { status: 200, data: showChannel(channel, row) };
    },
  });
  const reset = defineRoute({
    ...one,
    method: 'delete',
    summary: 'Put a channel back to its built-in settings',
    description: 'Doing it again changes nothing.',
    request: { params: schemas.channelParams, query: schemas.versionQuery },
    errors: ['ROUTING_CHANGED'],
    handler: async ({ params: { channel }, query, ...asked }) => {
      await appliedIfThere(deps, removeSetting(db, changedBy(asked, query.version), 'channel', channel));
      return { status: 200, data: showChannel(channel, undefined) };
    },
  });
  return [list, read, replace, reset];
}

type FeeBody = z.infer<typeof schemas.feeBody>;
const feeOf = ({ channel, account_id, currency, country, basis_points, fixed_minor }: FeeBody) => ({
  ...{ channel, basis_points, fixed_minor },
  ...{ account_id: account_id ?? null, currency: currency ?? null, country: country ?? null },
});
const FEE_ERRORS = ['ROUTING_CHANGED', 'ROUTING_FEE_EXISTS', 'ROUTING_LIMIT'] as const;

function feeRoutes(deps: RoutingAdminDeps): Route[] {
  const { db } = deps;
  const all = { ...admin, path: `${PATH}/fees` } as const;
  const one = { ...admin, path: `${PATH}/fees/{fee_id}` } as const;
  const list = defineRoute({
    ...all,
    method: 'get',
    summary: 'List the configured fees, newest first',
    request: { query: schemas.feeListQuery },
    responses: { 200: { description: 'One page', schema: pageSchema(schemas.feeView) } },
    errors: [],
    handler: async ({ query }) => {
      const page = pageOf(query, schemas.uuid);
      const rows = await listFees(db, query.channel, { ...page, limit: page.limit + 1 });
      const placeOf = (row: (typeof rows)[number]) => ({ micros: row.created_at_micros, id: row.id });
      return { status: 200, data: pageAnswer(rows, page.limit, placeOf, showFee) };
    },
  });
  const create = defineRoute({
    ...all,
    method: 'post',
    idempotent: true,
    summary: 'Set a price',
    description:
      'The first price of a channel takes the place of its list price as a whole: set one without a currency besides for ' +
      'those you do not name. Prices that name an account come before those of the channel.',
    request: { body: schemas.feeBody },
    responses: { 201: { description: 'Set', schema: schemas.feeView } },
    errors: FEE_ERRORS,
    handler: ({ body, idem, ...asked }) =>
      createdOnce(deps, idem, async (tx) => {
        const saving = saveFee(tx, changedBy(asked, body.version), undefined, feeOf(body));
        return showFee(rowOf(await saving));
      }),
  });
  const replace = defineRoute({
    ...one,
    method: 'put',
    summary: 'Replace a price',
    request: { params: schemas.feeParams, body: schemas.feeBody },
    responses: { 200: { description: 'Replaced', schema: schemas.feeView } },
    errors: ['NOT_FOUND', ...FEE_ERRORS],
    handler: async ({ params, body, ...asked }) => {
      const by = changedBy(asked, body.version);
      return { status: 200, data: showFee(await applied(deps, saveFee(db, by, params.fee_id, feeOf(body)))) };
    },
  });
  const remove = defineRoute({
    ...one,
    method: 'delete',
    summary: 'Remove a price',
    description: 'With the last price of a channel its list price is back.',
    request: { params: schemas.feeParams, query: schemas.versionQuery },
    responses: { 200: { description: 'Removed; the price as it was', schema: schemas.feeView } },
    errors: ['NOT_FOUND', 'ROUTING_CHANGED'],
    handler: async ({ params, query, ...asked }) => {
      const by = changedBy(asked, query.version);
      const row = await applied(deps, removeSetting<FeeRow>(db, by, 'fee', params.fee_id));
      return { status: 200, data: showFee(row) };
    },
  });
  return [list, create, replace, remove];
}

type RuleBody = z.infer<typeof schemas.ruleBody>;
const ruleOf = ({ order, enabled, channel, weight, ...given }: RuleBody) => ({
  ...{ order, enabled, channel, weight },
  merchant_id: given.merchant_id ?? null,
  currency: given.currency ?? null,
  country: given.country ?? null,
  min_amount: given.min_amount ?? null,
  max_amount: given.max_amount ?? null,
});

function ruleRoutes(deps: RoutingAdminDeps): Route[] {
  const { db } = deps;
  const all = { ...admin, path: `${PATH}/rules` } as const;
  const one = { ...admin, path: `${PATH}/rules/{rule_id}` } as const;
  const list = defineRoute({
    ...all,
    method: 'get',
    summary: 'List the rules in the order in which they are asked',
    request: {},
    responses: {
      200: { description: 'All rules', schema: z.object({ items: z.array(schemas.ruleView) }) },
    },
    errors: [],
    handler: async () => ({ status: 200, data: { items: (await readRules(db)).map(showRule) } }),
  });
  const create = defineRoute({
    ...all,
    method: 'post',
    idempotent: true,
    summary: 'Add a rule',
    description: 'Rules take what smart routing leaves undecided, or all of a merchant without it.',
    request: { body: schemas.ruleBody },
    responses: { 201: { description: 'Added', schema: schemas.ruleView } },
    errors: ['ROUTING_CHANGED', 'ROUTING_LIMIT'],
    handler: ({ body, idem, ...asked }) =>
      createdOnce(deps, idem, async (tx) => {
        const saving = saveRule(tx, changedBy(asked, body.version), undefined, ruleOf(body));
        return showRule(rowOf(await saving));
      }),
  });
  const replace = defineRoute({
    ...one,
    method: 'put',
    summary: 'Replace a rule',
    request: { params: schemas.ruleParams, body: schemas.ruleBody },
    responses: { 200: { description: 'Replaced', schema: schemas.ruleView } },
    errors: ['NOT_FOUND', 'ROUTING_CHANGED'],
    handler: async ({ params, body, ...asked }) => {
      const by = changedBy(asked, body.version);
      const row = await applied(deps, saveRule(db, by, params.rule_id, ruleOf(body)));
      return { status: 200, data: showRule(row) };
    },
  });
  const remove = defineRoute({
    ...one,
    method: 'delete',
    summary: 'Remove a rule',
    request: { params: schemas.ruleParams, query: schemas.versionQuery },
    responses: { 200: { description: 'Removed; the rule as it was', schema: schemas.ruleView } },
    errors: ['NOT_FOUND', 'ROUTING_CHANGED'],
    handler: async ({ params, query, ...asked }) => {
      const by = changedBy(asked, query.version);
      const row = await applied(deps, removeSetting<RuleRow>(db, by, 'rule', params.rule_id));
      return { status: 200, data: showRule(row) };
    },
  });
  return [list, create, replace, remove];
}

function merchantRoutes(deps: RoutingAdminDeps): Route[] {
  const { db } = deps;
  const one = {
    ...admin,
    path: `${PATH}/merchants/{merchant_id}`,
    responses: { 200: { description: 'What is set', schema: schemas.merchantView } },
  } as const;
  const read = defineRoute({
    ...one,
    method: 'get',
    summary: 'Read what routing does otherwise for a merchant',
    request: { params: schemas.merchantParams },
    errors: ['NOT_FOUND'],
    handler: async ({ params: { merchant_id: id } }) => {
      await assertMerchant(db, id);
      return { status: 200, data: showMerchantRouting(id, await readMerchantRouting(db, id)) };
    },
  });
  const replace = defineRoute({
    ...one,
    method: 'put',
    summary: 'Set a mode for a merchant, or switch smart routing off or on',
    request: { params: schemas.merchantParams, body: schemas.merchantBody },
    errors: ['NOT_FOUND', 'ROUTING_CHANGED', 'ROUTING_LIMIT'],
    handler: async ({ params: { merchant_id: id }, body, ...asked }) => {
      const fields = { mode: body.mode ?? null, smart: body.smart ?? null };
      const row = await applied(deps, saveMerchantRouting(db, changedBy(asked, body.version), id, fields));
      return { status: 200, data: showMerchantRouting(id, row) };
    },
  });
  const reset = defineRoute({
    ...one,
    method: 'delete',
    summary: 'Route a merchant as all others',
    request: { params: schemas.merchantParams, query: schemas.versionQuery },
    errors: ['NOT_FOUND', 'ROUTING_CHANGED'],
    handler: async ({ params: { merchant_id: id }, query, ...asked }) => {
      await assertMerchant(db, id);
      await appliedIfThere(deps, removeSetting(db, changedBy(asked, query.version), 'merchant', id));
      return { status: 200, data: showMerchantRouting(id, undefined) };
    },
  });
  return [read, replace, reset];
}

async function assertMerchant(db: Queryable, id: string): Promise<void> {
  if ((await findMerchant(db, id)) === undefined) throw fail('NOT_FOUND');
}
