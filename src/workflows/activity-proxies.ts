/** The named time-out and retry profiles under which workflows call activities. */
import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities';

// One try, short: the whole step stays within one workflow task. What fails is repeated as a normal activity.
const localChannel = proxyLocalActivities<Activities>({
  startToCloseTimeout: '5s',
  retry: { maximumAttempts: 1 },
});
const localRecord = proxyLocalActivities<Activities>({
  startToCloseTimeout: '2s',
  retry: { maximumAttempts: 1 },
});
// Settling may replay, read and send again, each with the slow time-out of the channel.
const durable = proxyActivities<Activities>({
  startToCloseTimeout: '120s',
  // A worker that died with the step must not keep its object waiting until the time-out (src/worker/worker.ts beats).
  heartbeatTimeout: '10s',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' },
});

/**
 * A first quick attempt as a local activity; when that fails or times out, the same step as a normal activity, retried
 * without end. Safe because every step can run twice: keys and rows decide what happens, not the number of runs.
 */
function localThenDurable<A extends unknown[], R>(
  local: (...args: A) => Promise<R>,
  normal: (...args: A) => Promise<R>,
): (...args: A) => Promise<R> {
  // Whatever it was (a time-out, a database that is away): the hold lives on, so the step is repeated until it works.
  return (...args) => local(...args).catch(() => normal(...args));
}

export const executeCommand = localThenDurable(localChannel.executeCommand, durable.executeCommand);
export const readHold = localThenDurable(localChannel.readHold, durable.readHold);
export const recordAnswer = localThenDurable(localRecord.recordAnswer, durable.recordAnswer);
export const endUntakenHold = localThenDurable(localRecord.endUntakenHold, durable.endUntakenHold);
export const warnExpiring = localThenDurable(localRecord.warnExpiring, durable.warnExpiring);
/** May take long: asks the channel with its slow time-out, so never a local activity. */
export const settleCall = durable.settleCall;
export const settleByOperator = localThenDurable(localRecord.settleByOperator, durable.settleByOperator);

export const executePayment = localThenDurable(localChannel.executePayment, durable.executePayment);
export const readPaymentObject = localThenDurable(localChannel.readPaymentObject, durable.readPaymentObject);
export const recordPaymentAnswer = localThenDurable(
  localRecord.recordPaymentAnswer,
  durable.recordPaymentAnswer,
);
export const endUntakenPayment = localThenDurable(localRecord.endUntakenPayment, durable.endUntakenPayment);
/** May take long: asks the channel with its slow time-out, so never a local activity. */
export const settlePaymentCall = durable.settlePaymentCall;
export const settlePaymentByOperator = localThenDurable(
  localRecord.settlePaymentByOperator,
  durable.settlePaymentByOperator,
);

export const executeRefund = localThenDurable(localChannel.executeRefund, durable.executeRefund);
export const readRefundObject = localThenDurable(localChannel.readRefundObject, durable.readRefundObject);
export const recordRefundAnswer = localThenDurable(
  localRecord.recordRefundAnswer,
  durable.recordRefundAnswer,
);
/** May take long: asks the channel with its slow time-out, so never a local activity. */
export const settleRefundCall = durable.settleRefundCall;
export const settleRefundByOperator = localThenDurable(
  localRecord.settleRefundByOperator,
  durable.settleRefundByOperator,
);

export const { accountsToReconcile, reconcileAccount } = proxyActivities<Activities>({
  startToCloseTimeout: '10m',
  // One object takes at most some exchanges and an RPC.
  heartbeatTimeout: '60s',
  retry: { maximumAttempts: 3 },
});

export const { pickUp } = proxyActivities<Activities>({
  startToCloseTimeout: '10m',
  // One object takes at most an exchange and an RPC; a worker that died must not keep the next run waiting for long.
  heartbeatTimeout: '15s',
  retry: { maximumAttempts: 3 },
});
