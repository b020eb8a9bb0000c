/**
 * Create a hold. PostgreSQL first: one transaction holds everything that makes it a promise, then the workflow. Once the
 * row is committed the hold is accepted, whatever becomes of Temporal, the channel or this process.
 */
import { randomBytes } from 'node:crypto';
import type { PoolClient } from 'pg';
import { capabilitiesOf, checkHoldAmount } from '../../channels/registry';
import type { ChannelName } from '../../domain/channel';
import { CREATE_COMMAND_ID } from '../../domain/channel-call';
import { fail, HoldfastError } from '../../domain/errors';
import { DEFAULT_EXPIRES_IN_SECONDS } from '../../domain/expiry';
import { generateNumber } from '../../domain/ids';
import { holdObject, isClosed } from '../../domain/pre-auth';
import { chooseChannel } from '../../routing/choose';
import type { Choice, ChosenAccount } from '../../routing/choose';
import type { RoutingDecision } from '../../domain/routing/types';
import { insertCall } from '../../stores/channel-calls';
import { findOrderClaim } from '../../stores/order-claims';
import { withTransaction } from '../../stores/postgres';
import { insertPreAuth, readPreAuth } from '../../stores/pre-auths';
import type { PreAuthRow } from '../../stores/pre-auths';
import { ensureImplicitEndpoint } from '../../stores/webhook-endpoints';
import { checkWebhookUrl } from '../../webhooks/ssrf-guard';
import { canonicalHash } from '../idempotency';
import type { IdempotentRequest, Ownership } from '../idempotency';
import type { MerchantCaller, RouteAnswer } from '../route';
import { routingRequestOf } from '../routing/request';
import { assertActive, assertTakesNew } from '../suspension';
import type { PreAuthDeps } from './deps';
import { refusalOfEnd } from './ended';
import type { CreateBody } from './schemas';
import { showPreAuth } from './view';

const CREATED = 'Pre-authorization created';

export async function createPreAuth(
  deps: PreAuthDeps,
  caller: MerchantCaller,
  body: CreateBody,
  idem: IdempotentRequest,
): Promise<RouteAnswer> {
  const number = body.pre_auth_no ?? generateNumber('PA', new Date(), randomBytes(8));
  return idem.run(number, async (own) => {
    const preAuthNo = own.number ?? number;
    // A repeat is told what was begun before the suspension.
    const isRepeat = async () => (await readPreAuth(deps.db, caller.merchantId, preAuthNo)) !== undefined;
    if (caller.status === 'suspended' && !(await isRepeat())) assertActive(caller);
    const request = routingRequestOf(deps, caller, body, 'pre_auth', preAuthNo);
    const choice = await chooseChannel(deps.router, deps.db, request);
    const { decision, channel } = choice;
    const account = eligibleAccount(body, choice);
    const notifyOrigin = checkedNotifyOrigin(deps, body.notify_url);
    const order = { caller, body, preAuthNo, decision, channel, account, notifyOrigin };
    const isNew = await withTransaction(deps.db, (tx) => insertAll(tx, own, order));
    // Whoever takes over a dead owner's request answers as that owner would have.
    return answerFor(deps, order, own, isNew || own.takenOver);
  });
}

/** Refuses, before anything is written, what this channel cannot hold. */
function eligibleAccount(body: CreateBody, { channel, account: found }: Choice): ChosenAccount {
  // What a channel can do without any account is the better answer where it can never hold money.
  if (!capabilitiesOf(channel, found?.contract).preAuth) throw fail('PRE_AUTH_NOT_SUPPORTED', { channel });
  const account = assertTakesNew(channel, found);
  const money = { amount: body.amount, currency: body.currency };
  const refusal = checkHoldAmount(channel, money, account.contract);
  if (refusal !== undefined) throw new HoldfastError(refusal);
  return account;
}

function checkedNotifyOrigin(deps: PreAuthDeps, notifyUrl: string | undefined): string | undefined {
  if (notifyUrl === undefined) return undefined;
  const verdict = checkWebhookUrl(notifyUrl, deps.webhookUrlPolicy);
  if (!verdict.ok)
    throw fail('WEBHOOK_URL_NOT_ALLOWED', {
      field: 'notify_url',
      code: verdict.code,
      reason: verdict.reason,
    });
  return verdict.origin;
}

interface Order {
  readonly caller: MerchantCaller;
  readonly body: CreateBody;
  readonly preAuthNo: string;
  readonly decision: RoutingDecision;
  readonly channel: ChannelName;
  readonly account: ChosenAccount;
  readonly notifyOrigin: string | undefined;
}

/** Row, order claim, decision, first channel call and idempotency record, or nothing. @returns false for the same hold again */
async function insertAll(tx: PoolClient, own: Ownership, order: Order): Promise<boolean> {
  const { caller, body, preAuthNo, account } = order;
  const { merchantId } = caller;
  await own.insertWithin(tx);
  const bodyHash = canonicalHash(body);
  const inserted = await insertPreAuth(tx, rowOf(order, bodyHash), order.decision);
  if (inserted === 'exists') {
    const existing = await readPreAuth(tx, merchantId, preAuthNo);
    if (existing?.body_hash.equals(bodyHash) !== true)
      throw fail('PRE_AUTH_CONFLICT', { pre_auth_no: preAuthNo });
    return false;
  }
  if (inserted === 'order_taken') {
    // Dropped between the two statements: the next try will get it, and "in progress" is what it was a moment ago.
    const { kind, number, state } = (await findOrderClaim(tx, merchantId, body.order_no)) ?? {
      state: 'live',
    };
    throw fail(state === 'paid' ? 'ORDER_ALREADY_PAID' : 'ORDER_IN_PROGRESS', { kind, number });
  }
  if (
    order.notifyOrigin !== undefined &&
    !(await ensureImplicitEndpoint(tx, merchantId, order.notifyOrigin))
  ) {
    throw fail('WEBHOOK_ENDPOINT_LIMIT');
  }
  await insertCall(tx, {
    object: holdObject({ merchantId, preAuthNo }),
    channelAccountId: account.id,
    operation: 'create',
    amount: body.amount,
    currency: body.currency,
    final: true,
    commandId: CREATE_COMMAND_ID,
    sentNow: false,
  });
  return true;
}

function rowOf({ caller, body, preAuthNo, decision, channel, account }: Order, bodyHash: Buffer) {
  const canCaptureAgain =
    capabilitiesOf(channel, account.contract).multipleCaptures || account.contract.multipleCaptures === true;
  return {
    merchant_id: caller.merchantId,
    pre_auth_no: preAuthNo,
    order_no: body.order_no,
    world: caller.world,
    channel,
    channel_account_id: account.id,
    currency: body.currency,
    amount: body.amount,
    multiple_captures: canCaptureAgain,
    customer_email: body.customer_email ?? null,
    description: body.description ?? null,
    country: decision.country?.code ?? null,
    return_url: body.return_url ?? null,
    notify_url: body.notify_url ?? null,
    metadata: body.metadata ?? {},
    body_hash: bodyHash,
    expires_in_seconds: body.expires_in ?? DEFAULT_EXPIRES_IN_SECONDS,
  };
}

async function answerFor(
  deps: PreAuthDeps,
  order: Order,
  own: Ownership,
  isNew: boolean,
): Promise<RouteAnswer> {
  const { preAuthNo } = order;
  const known = isNew ? undefined : await readPreAuth(deps.db, order.caller.merchantId, preAuthNo);
  const row = known !== undefined && isAnswered(known) ? known : await awaitChannel(deps, order, own);
  if (isNew && isClosed(row.status)) {
    const refusal = refusalOfEnd({ ...row, channelNo: row.channel_pre_auth_no }, { pre_auth_no: preAuthNo });
    if (refusal !== undefined) throw new HoldfastError(refusal);
  }
  const data = showPreAuth(row, deps.box);
  if (isAnswered(row))
    return { status: isNew ? 201 : 200, data, message: isNew ? CREATED : 'This pre-authorization exists' };
  const location = `/api/v1/pre-auth/${preAuthNo}`;
  return {
    status: 202,
    data,
    message: `Accepted; ask ${location} for the outcome`,
    headers: { Location: location },
  };
}

function isAnswered(row: PreAuthRow): boolean {
  return row.channel_pre_auth_no !== null || isClosed(row.status);
}

/** Starts the workflow and waits for the channel's answer. Whatever goes wrong here, the hold is accepted: 202. */
async function awaitChannel(
  deps: PreAuthDeps,
  { caller: { merchantId }, preAuthNo, body, channel }: Order,
  own: Ownership,
): Promise<PreAuthRow> {
  const { order_no: orderNo, currency, amount } = body;
  const traits = { orderNo, channel, status: 'processing', currency, amount };
  const object = { ...holdObject({ merchantId, preAuthNo }), traits };
  try {
    await deps.gateway.awaitCreated(object, own.recordId, deps.waitTimeoutMs);
  } catch (error) {
    deps.log.warn(
      { err: error, preAuthNo },
      'no answer for a new hold in time; its workflow or the pick-up carries on',
    );
  }
  const row = await readPreAuth(deps.db, merchantId, preAuthNo);
  if (row === undefined) throw new Error(`the row of hold ${preAuthNo} is gone`);
  return row;
}
