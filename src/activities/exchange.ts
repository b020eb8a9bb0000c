/** One exchange with a channel on behalf of a committed call row: the only place that sends money calls. */
import { cancellationSignal } from '@temporalio/activity';
import type { ChannelAdapter, CallIdentity, Exchange, HoldAnswer, HoldSnapshot } from '../domain/channel';
import { ChannelFault } from '../domain/channel';
import { settledBy } from '../domain/channel-call';
import type { CallReport, ChannelCall } from '../domain/channel-call';
import { callName, preAuthWorkflowId } from '../domain/ids';
import type { Hold } from '../domain/pre-auth';
import { settleDelayMs } from '../domain/settle';
import type { CallEvidence, SettleLimits } from '../domain/settle';
import { markStoredError } from '../stores/channel-calls';
import { CUSTOMER_STEP_PURPOSE, storeCustomerStep } from '../stores/pre-auths';
import type { PreAuthRow } from '../stores/pre-auths';
import type { CustomerStep } from '../domain/channel';
import type { ActivityDeps } from './deps';

export function limitsOf(deps: ActivityDeps, hold: Hold): SettleLimits {
  return {
    horizonMs: deps.idempotencyHorizonMs(hold.channel),
    proofGapMs: deps.proofGapMs,
    proofAfterSendMs: deps.proofAfterSendMs,
  };
}

export function identityOf(hold: Hold, call: ChannelCall): CallIdentity {
  return {
    idempotencyKey: call.idempotencyKey,
    holdfastId: preAuthWorkflowId(hold.merchantId, hold.preAuthNo),
    holdfastCall: callName(call.operation, call.n),
  };
}

export function exchangeOf(timeoutMs: number): Exchange {
  return { timeoutMs, signal: cancellationSignal() };
}

/** Keeps what the customer's browser needs, encrypted, before anybody can ask for it. */
export async function keepCustomerStep(deps: ActivityDeps, hold: Hold, step: CustomerStep): Promise<void> {
  if (step.clientSecret === undefined && step.nextAction === undefined) return;
  const sealed = deps.box.seal(JSON.stringify(step), CUSTOMER_STEP_PURPOSE);
  await storeCustomerStep(deps.db, hold.merchantId, hold.preAuthNo, sealed);
}

/**
 * Sends the call under its own key and says what came of it. A fault becomes `unsettled`: only its kind decides how it
 * is settled, and nothing here may choose another key, account or amount.
 */
export async function send(
  deps: ActivityDeps,
  row: PreAuthRow,
  hold: Hold,
  call: ChannelCall,
  timeoutMs: number,
): Promise<CallReport> {
  const adapter = await deps.adapterOf(call.channelAccountId);
  try {
    const answer = await carryOut(deps, adapter, row, hold, call, exchangeOf(timeoutMs));
    return await judgeAnswer(deps, adapter, hold, call, answer, timeoutMs);
  } catch (error) {
    if (!(error instanceof ChannelFault)) throw error;
    if (error.storedAnswer) await markStoredError(deps.db, call.id);
    return unsettled(
      deps,
      hold,
      { ...call, storedError: call.storedError || error.storedAnswer },
      error.message,
    );
  }
}

async function carryOut(
  deps: ActivityDeps,
  adapter: ChannelAdapter,
  row: PreAuthRow,
  hold: Hold,
  call: ChannelCall,
  exchange: Exchange,
): Promise<HoldAnswer> {
  const identity = identityOf(hold, call);
  switch (call.operation) {
    case 'create': {
      const { answer, customer } = await adapter.createPreAuth(createRequest(row), identity, exchange);
      await keepCustomerStep(deps, hold, customer);
      return answer;
    }
    case 'capture':
      return adapter.capturePreAuth(
        {
          channelPreAuthNo: channelNo(hold),
          amount: call.amount,
          currency: call.currency,
          final: call.final,
        },
        identity,
        exchange,
      );
    case 'cancel':
      return adapter.cancelPreAuth(
        { channelPreAuthNo: channelNo(hold), currency: call.currency },
        identity,
        exchange,
      );
  }
}

function channelNo(hold: Hold): string {
  if (hold.channelPreAuthNo === null)
    throw new Error(`hold ${hold.preAuthNo} has no object at its channel yet`);
  return hold.channelPreAuthNo;
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

/** An answer settles the call only when it shows the call's effect; after "wrong state" the object itself is asked. */
async function judgeAnswer(
  deps: ActivityDeps,
  adapter: ChannelAdapter,
  hold: Hold,
  call: ChannelCall,
  answer: HoldAnswer,
  timeoutMs: number,
): Promise<CallReport> {
  if (answer.kind !== 'declined') {
    return settledBy(call, hold, answer.snapshot) === undefined
      ? unsettled(deps, hold, call, `the channel answered ${answer.snapshot.status}`)
      : { kind: 'answered', callId: call.id, answer };
  }
  // Refused at the door, before the key was looked at: that speaks of this send only, and an earlier one may have worked.
  if (answer.code === 'account_invalid' && call.attempts > 1) {
    return unsettled(deps, hold, call, 'the channel does not accept the account');
  }
  if (call.operation === 'create' || answer.code !== 'invalid_state')
    return { kind: 'answered', callId: call.id, answer };
  const reading = await adapter.queryPreAuth(channelNo(hold), exchangeOf(timeoutMs));
  return reading === undefined
    ? { kind: 'answered', callId: call.id, answer }
    : { kind: 'answered', callId: call.id, answer, reading };
}

export function evidenceOf(call: ChannelCall): CallEvidence {
  return {
    createdAtMs: call.createdAtMs,
    lastSentAtMs: call.lastSentAtMs,
    storedError: call.storedError,
    firstAbsentAtMs: call.firstAbsentAtMs,
    attempts: call.attempts,
  };
}

export function unsettled(deps: ActivityDeps, hold: Hold, call: ChannelCall, reason: string): CallReport {
  const retryAfterMs = settleDelayMs(evidenceOf(call), limitsOf(deps, hold), deps.now());
  deps.log.warn(
    { preAuthNo: hold.preAuthNo, operation: call.operation, n: call.n, reason, retryAfterMs },
    'outcome unknown',
  );
  return { kind: 'unsettled', callId: call.id, retryAfterMs, reason: reason.slice(0, 200) };
}

/** The object as the channel shows it now, by its id or, before there is one, by the identity of the call. */
export async function readObject(
  deps: ActivityDeps,
  adapter: ChannelAdapter,
  hold: Hold,
  call: ChannelCall,
  exchange: Exchange,
): Promise<HoldSnapshot | undefined> {
  if (hold.channelPreAuthNo !== null) return adapter.queryPreAuth(hold.channelPreAuthNo, exchange);
  const created = { fromUnixSeconds: call.createdAtMs / 1000, toUnixSeconds: call.lastSentAtMs / 1000 };
  const [found] = await adapter.findPreAuths(identityOf(hold, call), created, exchange);
  if (found !== undefined) await keepCustomerStep(deps, hold, found.customer);
  return found?.snapshot;
}
