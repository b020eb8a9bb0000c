/** Where a create goes that certainly came to nothing: judged and written under the lock of its payment or hold. */
import type { PoolClient } from 'pg';
import { CHANNELS } from '../domain/channel';
import type { ChannelContract, ChannelName, World } from '../domain/channel';
import type { ChannelCall, HoldOperation, PaymentOperation } from '../domain/channel-call';
import { CREATE_COMMAND_ID } from '../domain/channel-call';
import type { Refusal } from '../domain/errors';
import { codeOfEnd, endsUntaken, judgeFailover } from '../domain/failover';
import type { CreateEnd } from '../domain/failover';
import type { ObjectRef } from '../domain/ids';
import type { Money } from '../domain/money';
import type { RefundedRef } from '../domain/refund';
import { readAttempts, readRanking } from '../stores/attempts';
import { findAccountFor } from '../stores/channel-accounts';
import type { ChannelAccountSummary } from '../stores/channel-accounts';
import { findCalls, insertCall, settleCall } from '../stores/channel-calls';
import type { CallEnd } from '../stores/channel-calls';
import { appendNote } from '../stores/outbox';
import type { ActivityDeps } from './deps';

/** A payment or hold as failover sees it. */
export interface Orphan extends Money {
  readonly object: RefundedRef;
  readonly world: World;
  readonly channel: ChannelName;
  readonly status: string;
  readonly expiresAtMs: number;
  readonly maybeSent: boolean;
  readonly handedOut: boolean;
  /** Why this channel, by an account with this contract, could not take it; undefined: it can. */
  readonly refusalOf: (channel: ChannelName, contract: ChannelContract) => Refusal | undefined;
}

export type NextStep =
  | { readonly kind: 'move'; readonly account: ChannelAccountSummary }
  /** Nobody else can be asked: payment or hold ends with its call. */
  | { readonly kind: 'end'; readonly as: 'failed' | 'expired' }
  /** The call stays as it is. */
  | { readonly kind: 'stay' };

/** @param tx has locked the payment or hold, and its call */
export async function nextStepOf(
  deps: ActivityDeps,
  tx: PoolClient,
  orphan: Orphan,
  end: CreateEnd,
): Promise<NextStep> {
  const { object, maybeSent, handedOut, expiresAtMs } = orphan;
  const tried = (await readAttempts(tx, object)).map(({ channel }) => channel);
  const decision = await readRanking(tx, object);
  const scene = { decision, tried, maybeSent, handedOut, expiresAtMs, nowMs: deps.now() };
  const verdict = judgeFailover(end, scene);
  if (verdict.kind === 'go_on') {
    const account = await firstAble(deps, tx, orphan, verdict.candidates);
    if (account !== undefined) return { kind: 'move', account };
  }
  if (!endsUntaken(end, scene)) return { kind: 'stay' };
  const isExpired = end.kind !== 'declined' && scene.nowMs >= expiresAtMs;
  return { kind: 'end', as: isExpired ? 'expired' : 'failed' };
}

/** The decision is as old as the object: what has changed since is looked at now. */
async function firstAble(
  deps: ActivityDeps,
  tx: PoolClient,
  { object: { merchantId }, world, refusalOf }: Orphan,
  candidates: readonly string[],
): Promise<ChannelAccountSummary | undefined> {
  for (const candidate of candidates) {
    const channel = CHANNELS.find((name) => name === candidate);
    if (channel === undefined || deps.isOutOfService?.(channel) === true) continue;
    const account = await findAccountFor(tx, { merchantId, world, channel });
    if (account !== undefined && refusalOf(channel, account.contract) === undefined) return account;
  }
  return undefined;
}

/** How a create's end is kept in its call. */
export function callEndOf(callId: string, end: CreateEnd, providerCode?: string): CallEnd {
  if (end.kind === 'declined')
    return { callId, state: 'declined', outcome: { decline_code: end.code, provider_code: providerCode } };
  const reason = end.kind === 'not_sent' ? { reason: end.reason } : { proof: 'stored error, absent twice' };
  const code = end.kind === 'not_sent' ? codeOfEnd(end) : end.kind;
  return { callId, state: 'not_executed', outcome: { code, ...reason } };
}

/** The create that has followed this one, if any: whoever finds it settled goes on with that. */
export async function successorOf(
  tx: PoolClient,
  object: ObjectRef,
  call: Pick<ChannelCall, 'id' | 'operation'>,
): Promise<string | undefined> {
  if (call.operation !== 'create') return undefined;
  const { own } = await findCalls(tx, object, CREATE_COMMAND_ID);
  return own?.id === call.id ? undefined : own?.id;
}

/** The end of a create that was never sent, because its object ended first. */
export function unsentEnd(callId: string, command: 'cancel' | 'expiry'): CallEnd {
  const reason = command === 'cancel' ? 'cancelled before it was sent' : 'expired before it was sent';
  return { callId, state: 'not_executed', outcome: { code: 'not_sent', reason } };
}

/**
 * Settles the create and writes its successor at this account, not sent yet. The caller gives the object to the account in
 * the same transaction.
 * @returns the successor's id
 */
export async function writeSuccessor(
  deps: ActivityDeps,
  tx: PoolClient,
  orphan: Orphan,
  call: ChannelCall<HoldOperation> | ChannelCall<PaymentOperation>,
  settles: CallEnd,
  account: ChannelAccountSummary,
): Promise<string> {
  const { object, channel: from, status } = orphan;
  const wasOpen = await settleCall(tx, settles);
  const next = wasOpen
    ? await insertCall<PaymentOperation>(tx, {
        ...{ object, channelAccountId: account.id, operation: 'create', final: true, sentNow: false },
        ...{ amount: call.amount, currency: call.currency, commandId: CREATE_COMMAND_ID },
      })
    : undefined;
  if (next === undefined) throw new Error(`call ${call.id} was settled by somebody else; look again`);
  const { merchantId, kind: objectKind, no: objectNo } = object;
  const data = { from, to: account.channel, n: next.n, outcome: settles.state, ...settles.outcome };
  await appendNote(tx, { merchantId, objectKind, objectNo, type: 'channel.failed_over', status, data });
  deps.log.warn({ object: `${objectKind}/${objectNo}`, ...data }, 'another channel is tried');
  return next.id;
}
