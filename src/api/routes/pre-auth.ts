/** The pre-auth endpoints: by the channel's number as the original description has them, and by the merchant's own. */
import { fail } from '../../domain/errors';
import type { ErrorCode } from '../../domain/errors';
import { MERCHANT_NUMBER } from '../../domain/ids';
import type { ChannelName } from '../../domain/channel';
import {
  findPreAuthByChannelNo,
  listPreAuths,
  readPreAuth,
  readPreAuthWithWay,
} from '../../stores/pre-auths';
import type { PreAuthRow } from '../../stores/pre-auths';
import { pageAnswer, pageOf, pageSchema } from '../pagination';
import { cancelPreAuth, capturePreAuth } from '../pre-auth/commands';
import { createPreAuth } from '../pre-auth/create';
import type { PreAuthDeps } from '../pre-auth/deps';
import * as schemas from '../pre-auth/schemas';
import { showPreAuth, showPreAuthWithWay, showWholePreAuth } from '../pre-auth/view';
import { defineRoute } from '../route';
import type { MerchantCaller, Route, RouteResponse } from '../route';
import { z } from 'zod';

const merchant = { tag: 'Pre-authorization', auth: 'merchant' } as const;

const COMMAND_ERRORS: readonly ErrorCode[] = [
  'NOT_FOUND',
  'PRE_AUTH_BUSY',
  'PRE_AUTH_CLOSED',
  'CHANNEL_DECLINED',
];
const CAPTURE_ERRORS: readonly ErrorCode[] = [
  ...COMMAND_ERRORS,
  'PRE_AUTH_NOT_CAPTURABLE',
  'CAPTURE_AMOUNT_EXCEEDS_HOLD',
  'CURRENCY_MISMATCH',
  'AMOUNT_NOT_SUPPORTED',
];

const accepted: RouteResponse = {
  description: 'Accepted and under way; ask the address in the Location header for the outcome',
  schema: schemas.preAuthView,
};
const captured: RouteResponse = {
  description: 'Captured; what is not kept is released',
  schema: schemas.captureView,
};
const canceled: RouteResponse = { description: 'Released', schema: schemas.cancelView };

export function preAuthRoutes(deps: PreAuthDeps): Route[] {
  // The fixed addresses come before those with a parameter.
  return [createRoute(deps), listRoute(deps), ...byChannelNo(deps), ...byOwnNo(deps)];
}

function createRoute(deps: PreAuthDeps): Route {
  return defineRoute({
    ...merchant,
    method: 'post',
    path: '/api/v1/channel/pre-auth',
    summary: 'Hold money on the customer’s card',
    description:
      'The hold is made at the channel and waits for the customer: confirm it in the browser with client_secret. ' +
      'It is released by itself when expires_in has passed. The same pre_auth_no with the same body answers 200 with the hold. ' +
      'Another channel follows one that certainly did nothing. 402 means that the hold exists and has ended: ' +
      'CHANNEL_DECLINED, a channel has said no; CHANNEL_NOT_REACHED, none had taken it when it failed, was canceled or ' +
      'expired. The order is free again: make a new hold, with a new Idempotency-Key and pre_auth_no.',
    idempotent: true,
    request: { body: schemas.createBody(deps.minExpiresInSeconds) },
    responses: {
      201: { description: 'The hold', schema: schemas.preAuthView, example: schemas.PRE_AUTH_EXAMPLE },
      200: { description: 'The same hold, made by an earlier request', schema: schemas.preAuthView },
      202: accepted,
    },
    errors: [
      'MERCHANT_SUSPENDED',
      'CHANNEL_SWITCHED_OFF',
      'PRE_AUTH_CONFLICT',
      'PRE_AUTH_NOT_SUPPORTED',
      'CURRENCY_NOT_SUPPORTED',
      'AMOUNT_NOT_SUPPORTED',
      'CHANNEL_NOT_AVAILABLE',
      'CHANNEL_DECLINED',
      'CHANNEL_NOT_REACHED',
      'ORDER_IN_PROGRESS',
      'ORDER_ALREADY_PAID',
      'WEBHOOK_URL_NOT_ALLOWED',
      'WEBHOOK_ENDPOINT_LIMIT',
    ],
    handler: ({ caller, body, idem }) => createPreAuth(deps, caller, body, idem),
  });
}

function listRoute(deps: PreAuthDeps): Route {
  return defineRoute({
    ...merchant,
    method: 'get',
    path: '/api/v1/channel/pre-auth',
    summary: 'List holds, newest first',
    description:
      'As you asked for them, without client_secret and without the way to the channel: read one for these.',
    request: { query: schemas.listQuery },
    responses: { 200: { description: 'A page of holds', schema: pageSchema(schemas.preAuthView) } },
    errors: [],
    async handler({ caller, query }) {
      const page = pageOf(query, z.string().regex(MERCHANT_NUMBER));
      const filter = {
        merchantId: caller.merchantId,
        status: query.status,
        orderNo: query.order_no,
        createdFrom: query.created_from === undefined ? undefined : new Date(query.created_from),
        createdTo: query.created_to === undefined ? undefined : new Date(query.created_to),
      };
      const rows = await listPreAuths(deps.db, filter, { ...page, limit: page.limit + 1 });
      const keyOf = (row: { created_at_micros: number; pre_auth_no: string }) => ({
        micros: row.created_at_micros,
        id: row.pre_auth_no,
      });
      return { status: 200, data: pageAnswer(rows, page.limit, keyOf, (row) => showPreAuth(row)) };
    },
  });
}

function byChannelNo(deps: PreAuthDeps): Route[] {
  const capture = defineRoute({
    ...merchant,
    method: 'post',
    path: '/api/v1/channel/pre-auth/capture',
    priority: 'finish',
    summary: 'Take the held money, all of it or a part',
    description:
      'What is not taken is released, unless final is false and the channel can capture again. Of capture, cancel and ' +
      'the end of the hold’s time exactly one wins.',
    idempotent: true,
    request: { body: schemas.captureByChannelNoBody },
    responses: { 200: captured, 202: accepted },
    errors: CAPTURE_ERRORS,
    handler: async ({ caller, body, idem }) =>
      capturePreAuth(deps, await byChannel(deps, caller, body.channel, body.channel_pre_auth_no), body, idem),
  });
  const cancel = defineRoute({
    ...merchant,
    method: 'post',
    path: '/api/v1/channel/pre-auth/cancel',
    priority: 'finish',
    summary: 'Release the held money',
    description: 'Also before the customer has confirmed. What was captured stays captured: refund it.',
    idempotent: true,
    request: { body: schemas.cancelByChannelNoBody },
    responses: { 200: canceled, 202: accepted },
    errors: COMMAND_ERRORS,
    handler: async ({ caller, body, idem }) =>
      cancelPreAuth(deps, await byChannel(deps, caller, body.channel, body.channel_pre_auth_no), body, idem),
  });
  const read = defineRoute({
    ...merchant,
    method: 'get',
    path: '/api/v1/channel/pre-auth/{channel_pre_auth_no}',
    summary: 'Read a hold by the channel’s number',
    request: { params: schemas.channelNoParams, query: schemas.channelQuery },
    responses: {
      200: { description: 'The hold', schema: schemas.preAuthView, example: schemas.PRE_AUTH_EXAMPLE },
    },
    errors: ['NOT_FOUND'],
    async handler({ caller, params, query }) {
      const row = await byChannel(deps, caller, query.channel, params.channel_pre_auth_no);
      return { status: 200, data: await showWholePreAuth(deps, row) };
    },
  });
  return [capture, cancel, read];
}

function byOwnNo(deps: PreAuthDeps): Route[] {
  const path = '/api/v1/pre-auth/{pre_auth_no}';
  const params = schemas.preAuthNoParams;
  const read = defineRoute({
    ...merchant,
    method: 'get',
    path,
    summary: 'Read a hold by your own number',
    description:
      'With client_secret while the customer needs it, why the channel was chosen (routing), and which were tried (attempts).',
    request: { params },
    responses: {
      200: { description: 'The hold', schema: schemas.preAuthView, example: schemas.PRE_AUTH_EXAMPLE },
    },
    errors: ['NOT_FOUND'],
    async handler({ caller, params: { pre_auth_no: no } }) {
      const found = await readPreAuthWithWay(deps.db, caller.merchantId, no);
      if (found === undefined) throw fail('NOT_FOUND');
      return { status: 200, data: showPreAuthWithWay(deps.box, found) };
    },
  });
  const capture = defineRoute({
    ...merchant,
    method: 'post',
    path: `${path}/capture`,
    priority: 'finish',
    summary: 'Capture by your own number',
    description: 'As by the channel’s number: without amount everything that is left is taken.',
    idempotent: true,
    request: { params, body: schemas.captureByNoBody },
    responses: { 200: captured, 202: accepted },
    errors: CAPTURE_ERRORS,
    handler: async ({ caller, params: { pre_auth_no: no }, body, idem }) =>
      capturePreAuth(deps, await byNo(deps, caller, no), body, idem),
  });
  const cancel = defineRoute({
    ...merchant,
    method: 'post',
    path: `${path}/cancel`,
    priority: 'finish',
    summary: 'Release by your own number',
    description: 'As by the channel’s number.',
    idempotent: true,
    request: { params, body: schemas.cancelByNoBody },
    responses: { 200: canceled, 202: accepted },
    errors: COMMAND_ERRORS,
    handler: async ({ caller, params: { pre_auth_no: no }, body, idem }) =>
      cancelPreAuth(deps, await byNo(deps, caller, no), body, idem),
  });
  return [read, capture, cancel];
}

async function byNo(deps: PreAuthDeps, caller: MerchantCaller, preAuthNo: string): Promise<PreAuthRow> {
  const row = await readPreAuth(deps.db, caller.merchantId, preAuthNo);
  if (row === undefined) throw fail('NOT_FOUND');
  return row;
}

async function byChannel(
  deps: PreAuthDeps,
  caller: MerchantCaller,
  channel: ChannelName,
  channelPreAuthNo: string,
): Promise<PreAuthRow> {
  const row = await findPreAuthByChannelNo(deps.db, caller.merchantId, channel, channelPreAuthNo);
  if (row === undefined) throw fail('NOT_FOUND');
  return row;
}
