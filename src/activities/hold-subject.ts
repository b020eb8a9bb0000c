/** A hold as the subject of its calls: its verbs, and what its snapshots tell. */
import type { CustomerStep, HoldSnapshot } from '../domain/channel';
import { resultOf, settledBy, showsAbsence } from '../domain/channel-call';
import type { CommandResult } from '../domain/commands';
import { holdObject } from '../domain/pre-auth';
import type { Hold } from '../domain/pre-auth';
import { CUSTOMER_STEP_PURPOSE, setNeedsAttention, storeCustomerStep, toHold } from '../stores/pre-auths';
import type { PreAuthRow } from '../stores/pre-auths';
import type { ActivityDeps } from './deps';
import type { Subject } from './subject';

export function holdSubject(deps: ActivityDeps, row: PreAuthRow): Subject<HoldSnapshot, CommandResult> {
  const hold = toHold(row);
  const adapter = () => deps.adapterOf(hold.channelAccountId);
  return {
    object: holdObject(hold),
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
        case 'capture': {
          const request = { channelPreAuthNo: channelNo(hold), amount, currency, final };
          return (await adapter()).capturePreAuth(request, identity, exchange);
        }
        case 'cancel': {
          const request = { channelPreAuthNo: channelNo(hold), currency };
          return (await adapter()).cancelPreAuth(request, identity, exchange);
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
    askForDecision: (reason) => setNeedsAttention(deps.db, hold, reason),
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
  await storeCustomerStep(deps.db, hold.merchantId, hold.preAuthNo, sealed);
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
