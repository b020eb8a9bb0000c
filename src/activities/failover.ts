/** Where a create goes that certainly came to nothing: judged and written under the lock of its payment or hold. */
import type { PoolClient } from 'pg';
import { CHANNELS } from '../domain/channel';
import type { ChannelContract, ChannelName, World } from '../domain/channel';
import type { ChannelCall, HoldOperation, PaymentOperation } from '../domain/channel-call';
import { CREATE_COMMAND_ID } from '../domain/channel-call';
import type { CancelCommand, ExpiryCommand } from '../domain/commands';
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
import { readCommandNote } from '../stores/command-notes';
import { appendNote } from '../stores/outbox';
import type { ActivityDeps } from './deps';
import { speakerOf } from './operator-word';

type CreateCall = ChannelCall<HoldOperation> | ChannelCall<PaymentOperation>;

/** A payment or hold as failover sees it. */
export interface Orphan extends Money {
  readonly object: RefundedRef;
  readonly world: World;
  readonly channel: ChannelName;
  readonly status: string;
  readonly expiresAtMs: number;
  readonly handedOut: boolean;
  /** Why this channel, by an account with this contract, could not take it; undefined: it can. */
  readonly refusalOf: (channel: ChannelName, contract: ChannelContract) => Refusal | undefined;
}

type NextStep =
  | { readonly kind: 'move'; readonly account: ChannelAccountSummary }
  /** Nobody else can be asked: payment or hold ends with its call. */
  | { readonly kind: 'end'; readonly as: 'failed' | 'expired' }
  /** The call stays as it is. */
  | { readonly kind: 'stay' };

/** How a payment or hold is written that leaves its channel. T: what names it, as it is then. */
interface Ways<T> {
  /** Gives it to this account; the create there is written already. */
  readonly move: (account: ChannelAccountSummary) => Promise<T>;
  /** Ends it, and its call in this way. */
  readonly end: (as: 'failed' | 'expired', settles: CallEnd) => Promise<T>;
}

/** `movedTo`: the create that follows, at another channel; absent: payment or hold has ended. */
export type Given<T> = T & { readonly movedTo?: string };

/**
 * Ends a create that certainly came to nothing, and its payment or hold with it where nobody else can take that.
 * @param tx has locked the payment or hold, and its call
 * @returns undefined: nothing was written, because it waits for this very channel. Never for a decline
 */
export async function endCreate<T extends object>(
  deps: ActivityDeps,
  tx: PoolClient,
  { orphan, call }: { readonly orphan: Orphan; readonly call: CreateCall },
  { end, providerCode }: { readonly end: CreateEnd; readonly providerCode?: string | undefined },
  ways: Ways<T>,
): Promise<Given<T> | undefined> {
  const settles = callEndOf(call.id, end, providerCode);
  const step = await nextStepOf(deps, tx, orphan, mayHaveArrivedBefore(call), end);
  switch (step.kind) {
    case 'stay':
      return undefined;
    case 'move': {
      const movedTo = await writeSuccessor(deps, tx, orphan, call, settles, step.account);
      return { ...(await ways.move(step.account)), movedTo };
    }
    case 'end':
      return ways.end(step.as, settles);
  }
}

async function nextStepOf(
  deps: ActivityDeps,
  tx: PoolClient,
  orphan: Orphan,
  maybeSent: boolean,
  end: CreateEnd,
): Promise<NextStep> {
  const { object, handedOut, expiresAtMs } = orphan;
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

/**
 * Whether any send but the one that was answered may have arrived: one is marked so, or was counted and nobody has noted
 * what became of it, because its process died with it.
 */
function mayHaveArrivedBefore({ maybeSent, attempts, notSent }: CreateCall): boolean {
  return maybeSent || attempts - notSent > 1;
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
    if (account === undefined || account.switchedOffAt !== null) continue;
    if (refusalOf(channel, account.contract) === undefined) return account;
  }
  return undefined;
}

/** How a create's end is kept in its call. */
function callEndOf(callId: string, end: CreateEnd, providerCode?: string): CallEnd {
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

/**
 * Ends a create that was never sent, because its object is to end first, and writes the call of whoever wanted that: no
 * channel has to be asked, but a repeat of the command is answered from its row.
 * @returns how that call ends, to be written together with the object's end, and the merchant's reason, if there is one
 */
export async function endUnsent(
  { box }: Pick<ActivityDeps, 'box'>,
  tx: PoolClient,
  object: ObjectRef,
  { id, channelAccountId, currency }: CreateCall,
  command: CancelCommand | ExpiryCommand,
): Promise<{ readonly settles: CallEnd; readonly cancelReason?: string | undefined }> {
  const isCancel = command.kind === 'cancel';
  const ended = `${isCancel ? 'cancelled' : 'expired'} before it was sent`;
  await settleCall(tx, {
    callId: id,
    state: 'not_executed',
    outcome: { code: 'not_sent', reason: ended },
  });
  const cancelReason = isCancel
    ? (command.reason ?? (await readCommandNote(tx, object.merchantId, command.commandId)))
    : undefined;
  const own = await insertCall<PaymentOperation>(tx, {
    ...{ object, channelAccountId, currency, operation: 'cancel', amount: 0, final: true, sentNow: false },
    commandId: command.commandId,
    reason: isCancel ? cancelReason : 'expired',
    ...(isCancel ? speakerOf(box, command, object, { amount: 0 }) : {}),
  });
  if (own === undefined) throw new Error(`${object.kind} ${object.no} has another open call; look again`);
  const outcome = { reason: 'no channel had been asked' };
  return { settles: { callId: own.id, state: 'executed', outcome }, cancelReason };
}

/**
 * Settles the create and writes its successor at this account, not sent yet. The caller gives the object to the account in
 * the same transaction.
 * @returns the successor's id
 */
async function writeSuccessor(
  deps: ActivityDeps,
  tx: PoolClient,
  orphan: Orphan,
  call: CreateCall,
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
