/** A hold as the subject of its calls: its verbs, and what its snapshots tell. */
import type {
  CallIdentity,
  ChannelAdapter,
  CustomerStep,
  Exchange,
  HoldAnswer,
  HoldSnapshot,
} from '../domain/channel';
import { provesNothingMoved, resultOf, settledBy, showsAbsence } from '../domain/channel-call';
import { AUTHORIZE_COMMAND_ID } from '../domain/commands';
import type { CommandResult } from '../domain/commands';
import { holdObject, isNeverHeld } from '../domain/pre-auth';
import type { Hold } from '../domain/pre-auth';
import { findCalls } from '../stores/channel-calls';
import { CUSTOMER_STEP_PURPOSE, setNeedsAttention, storeCustomerStep, toHold } from '../stores/pre-auths';
import type { PreAuthRow } from '../stores/pre-auths';
import type { ActivityDeps } from './deps';
import { giveUpHoldCreate } from './hold-failover';
import type { Subject } from './subject';

export function holdSubject(deps: ActivityDeps, row: PreAuthRow): Subject<HoldSnapshot, CommandResult> {
  const hold = toHold(row);
  const adapter = () => deps.adapterOf(hold.channelAccountId);
  return {
    object: holdObject(hold),
    channelAccountId: hold.channelAccountId,
    place: { channel: hold.channel, ...(row.country !== null && { country: row.country }) },
    limitsOf: () => ({
      horizonMs: deps.idempotencyHorizonMs(hold.channel),
      proofGapMs: deps.proofGapMs,
      proofAfterSendMs: deps.proofAfterSendMs,
    }),
    async carryOut(call, identity, exchange) {
      const { amount, currency, final } = call;
      switch (call.operation) {
        case 'create': {
          const made = await (await adapter()).createPreAuth(createRequest(row), identity, exchange);
          await keepCustomerStep(deps, hold, made.customer);
          return made.answer;
        }
        case 'authorize':
          return authorize(await adapter(), hold, identity, exchange);
        case 'capture': {
          const request = { channelPreAuthNo: channelNo(hold), amount, currency, final };
          return (await adapter()).capturePreAuth(request, identity, exchange);
        }
        case 'cancel': {
          const request = { channelPreAuthNo: channelNo(hold), currency };
          const channel = await adapter();
          return orForgotten(deps, channel, hold, await channel.cancelPreAuth(request, identity, exchange));
        }
      }
    },
    isAnswered: (call, answer) => settledBy(call, hold, answer.snapshot) !== undefined,
    readAfterRefusal: async (exchange) => (await adapter()).queryPreAuth(channelNo(hold), exchange),
    async find(call, identity, exchange) {
      if (hold.channelPreAuthNo !== null)
        return (await adapter()).queryPreAuth(hold.channelPreAuthNo, exchange);
      const created = { fromUnixSeconds: call.createdAtMs / 1000, toUnixSeconds: call.lastSentAtMs / 1000 };
      const [found] = await (await adapter()).findPreAuths(identity, created, exchange);
      if (found !== undefined) await keepCustomerStep(deps, hold, found.customer);
      return found?.snapshot;
    },
    isSettledBy: (call, snapshot) => settledBy(call, hold, snapshot) !== undefined,
    showsAbsence,
    resultOf: (call, state, declineCode) => resultOf(call, state, declineCode, hold),
    async askForDecision(reason) {
      if (await setNeedsAttention(deps.db, hold, reason))
        deps.callOperator(holdObject(hold), hold.channel, reason);
    },
    giveUp: (call, end) => giveUpHoldCreate(deps, hold, call, end),
  };
}

/** Whether the customer has approved and the channel waits for completePreAuth. */
export async function waitsForUs(deps: ActivityDeps, hold: Hold): Promise<boolean> {
  if (hold.status !== 'requires_confirmation') return false;
  return (await deps.adapterOf(hold.channelAccountId)).completePreAuth !== undefined;
}

function authorize(
  adapter: ChannelAdapter,
  hold: Hold,
  identity: CallIdentity,
  exchange: Exchange,
): Promise<HoldAnswer> {
  if (adapter.completePreAuth === undefined)
    throw new Error(`holds at ${hold.channel} are not completed by a call of ours`);
  return adapter.completePreAuth(channelNo(hold), identity, exchange);
}

/**
 * A channel that holds money only at our call may forget what was not completed in time. Where no call of ours can have
 * held any for this hold there is nothing to release: the release is done.
 */
async function orForgotten(
  deps: ActivityDeps,
  adapter: ChannelAdapter,
  hold: Hold,
  answer: HoldAnswer,
): Promise<HoldAnswer> {
  const isNotFound = answer.kind === 'declined' && answer.code === 'object_not_found';
  if (!isNotFound || adapter.completePreAuth === undefined || !isNeverHeld(hold.status)) return answer;
  const { own } = await findCalls(deps.db, holdObject(hold), AUTHORIZE_COMMAND_ID);
  if (!provesNothingMoved(own)) return answer;
  const { currency, amount } = hold;
  return {
    kind: 'done',
    snapshot: {
      ...{ channelPreAuthNo: channelNo(hold), status: 'canceled', releaseCause: 'requested' },
      ...{ currency, amount, amountCapturable: 0, amountCaptured: 0 },
    },
  };
}

function channelNo(hold: Hold): string {
  if (hold.channelPreAuthNo === null)
    throw new Error(`hold ${hold.preAuthNo} has no object at its channel yet`);
  return hold.channelPreAuthNo;
}

/** Keeps what the customer's browser needs, encrypted, before anybody can ask for it. */
async function keepCustomerStep(deps: ActivityDeps, hold: Hold, step: CustomerStep): Promise<void> {
  if (step.clientSecret === undefined && step.nextAction === undefined) return;
  const sealed = deps.box.seal(JSON.stringify(step), CUSTOMER_STEP_PURPOSE);
  await storeCustomerStep(deps.db, hold, sealed);
}

function createRequest(row: PreAuthRow) {
  return {
    preAuthNo: row.pre_auth_no,
    orderNo: row.order_no,
    amount: row.amount,
    currency: row.currency,
    ...(row.customer_email !== null ? { customerEmail: row.customer_email } : {}),
    ...(row.description !== null ? { description: row.description } : {}),
    ...(row.return_url !== null ? { returnUrl: row.return_url } : {}),
  };
}
