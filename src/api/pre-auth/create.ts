/**
 * Create a hold. PostgreSQL first: one transaction holds everything that makes it a promise, then the workflow. Once the
 * row is committed the hold is accepted, whatever becomes of Temporal, the channel or this process.
 */
import { randomBytes } from 'node:crypto';
import type { PoolClient } from 'pg';
import { capabilitiesOf, checkHoldAmount } from '../../channels/registry';
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
import type { NewPreAuth, PreAuthRow } from '../../stores/pre-auths';
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
    // Whoever takes over a dead owner's request answers as that owner would have, whatever would be refused now. The record
    // has compared the bodies; the row cannot any more once its customer was erased.
    const begun = own.takenOver ? await readPreAuth(deps.db, caller.merchantId, preAuthNo) : undefined;
    const placed =
      begun === undefined ? await place(deps, caller, body, preAuthNo, own) : { row: begun, isNew: true };
    return answerFor(deps, placed, own);
  });
}

interface Placed {
  /** Has a status where it was read and not just inserted. */
  readonly row: NewPreAuth | PreAuthRow;
  /** This request made it, or an earlier owner of it. */
  readonly isNew: boolean;
}

/** Makes the hold, or finds it by the merchant's own number. */
async function place(
  deps: PreAuthDeps,
  caller: MerchantCaller,
  body: CreateBody,
  preAuthNo: string,
  own: Ownership,
): Promise<Placed> {
  const bodyHash = canonicalHash(body);
  let order: Order;
  try {
    order = await orderOf(deps, caller, body, preAuthNo, bodyHash);
  } catch (refusal) {
    // A repeat is told what was begun before the suspension, the switch-off, or another change of what is eligible.
    const asked = body.pre_auth_no;
    const existing = asked && (await readPreAuth(deps.db, caller.merchantId, asked));
    if (!existing) throw refusal;
    return { row: assertSame(existing, preAuthNo, bodyHash), isNew: false };
  }
  const existing = await withTransaction(deps.db, (tx) => insertAll(tx, own, order));
  return { row: existing ?? order.row, isNew: existing === undefined };
}

interface Order {
  readonly row: NewPreAuth;
  readonly decision: RoutingDecision;
  readonly notifyOrigin: string | undefined;
}

/** What is to be inserted. @throws HoldfastError with every refusal that comes before */
async function orderOf(
  deps: PreAuthDeps,
  caller: MerchantCaller,
  body: CreateBody,
  preAuthNo: string,
  bodyHash: Buffer,
): Promise<Order> {
  assertActive(caller);
  const request = routingRequestOf(deps, caller, body, 'pre_auth', preAuthNo);
  const choice = await chooseChannel(deps.router, deps.db, request);
  const account = eligibleAccount(body, choice);
  const notifyOrigin = checkedNotifyOrigin(deps, body.notify_url);
  const row = rowOf(caller, body, preAuthNo, choice, account, bodyHash);
  return { row, decision: choice.decision, notifyOrigin };
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

/**
 * Row, order claim, decision, first channel call and idempotency record, or nothing.
 * @returns the same hold, when it was there
 */
async function insertAll(tx: PoolClient, own: Ownership, order: Order): Promise<PreAuthRow | undefined> {
  const { row, decision, notifyOrigin } = order;
  const { merchant_id: merchantId, pre_auth_no: preAuthNo } = row;
  await own.insertWithin(tx);
  const inserted = await insertPreAuth(tx, row, decision);
  if (inserted === 'exists')
    return assertSame(await readPreAuth(tx, merchantId, preAuthNo), preAuthNo, row.body_hash);
  if (inserted === 'order_taken') {
    // Dropped between the two statements: the next try will get it, and "in progress" is what it was a moment ago.
    const { kind, number, state } = (await findOrderClaim(tx, merchantId, row.order_no)) ?? {
      state: 'live',
    };
    throw fail(state === 'paid' ? 'ORDER_ALREADY_PAID' : 'ORDER_IN_PROGRESS', { kind, number });
  }
  if (notifyOrigin !== undefined && !(await ensureImplicitEndpoint(tx, merchantId, notifyOrigin)))
    throw fail('WEBHOOK_ENDPOINT_LIMIT');
  await insertCall(tx, {
    object: holdObject({ merchantId, preAuthNo }),
    channelAccountId: row.channel_account_id,
    operation: 'create',
    amount: row.amount,
    currency: row.currency,
    final: true,
    commandId: CREATE_COMMAND_ID,
    sentNow: false,
  });
  return undefined;
}

/** @throws HoldfastError PRE_AUTH_CONFLICT */
function assertSame(existing: PreAuthRow | undefined, preAuthNo: string, bodyHash: Buffer): PreAuthRow {
  if (existing?.body_hash.equals(bodyHash) !== true)
    throw fail('PRE_AUTH_CONFLICT', { pre_auth_no: preAuthNo });
  return existing;
}

function rowOf(
  caller: MerchantCaller,
  body: CreateBody,
  preAuthNo: string,
  { channel, decision }: Choice,
  account: ChosenAccount,
  bodyHash: Buffer,
): NewPreAuth {
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
  { row: placed, isNew }: Placed,
  own: Ownership,
): Promise<RouteAnswer> {
  const { pre_auth_no: preAuthNo } = placed;
  const row = 'status' in placed && isAnswered(placed) ? placed : await awaitChannel(deps, placed, own);
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
  placed: NewPreAuth | PreAuthRow,
  own: Ownership,
): Promise<PreAuthRow> {
  const { merchant_id: merchantId, pre_auth_no: preAuthNo } = placed;
  const { order_no: orderNo, channel, currency, amount } = placed;
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
