/**
 * The workflows of objects as seen from outside, whatever kind the object is: started, woken and told to look. Every call
 * has a deadline, and what needs the workflow starts it where it is missing, because the row, not Temporal, says whether
 * an object is live.
 */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { workflowIdOf } from '../domain/ids';
import type { ObjectKind, ObjectRef } from '../domain/ids';
import * as messages from '../workflows/messages';

export const RPC_DEADLINE_MS = 5_000;

interface KindOfWorkflow {
  readonly type: string;
  readonly name: string;
  readonly argsOf: (object: ObjectRef) => messages.PreAuthArgs | messages.PaymentArgs | messages.RefundArgs;
}

const WORKFLOWS: Readonly<Record<ObjectKind, KindOfWorkflow>> = {
  pre_auth: {
    type: messages.PRE_AUTH_WORKFLOW,
    name: 'hold',
    argsOf: ({ merchantId, no }) => ({ merchantId, preAuthNo: no }),
  },
  payment: {
    type: messages.PAYMENT_WORKFLOW,
    name: 'payment',
    argsOf: ({ merchantId, no }) => ({ merchantId, paymentNo: no }),
  },
  refund: {
    type: messages.REFUND_WORKFLOW,
    name: 'refund',
    argsOf: ({ merchantId, no }) => ({ merchantId, refundNo: no }),
  },
};

/** Type of the object's workflow, and how it is started: the one that runs is used, a closed one is followed by another. */
export function startOf(object: ObjectRef, taskQueue: string) {
  const workflow = WORKFLOWS[object.kind];
  const options = {
    workflowId: workflowIdOf(object),
    taskQueue,
    args: [workflow.argsOf(object)] as [unknown],
    workflowIdConflictPolicy: 'USE_EXISTING' as const,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' as const,
    staticSummary: `${workflow.name} ${object.no}`,
  };
  return { type: workflow.type, options };
}

export interface ObjectGateway {
  /** Starts the object's workflow, or does nothing when it is running. */
  ensure(object: ObjectRef): Promise<void>;
  /** Tells the workflow to read its object at the channel again, starting it when it is not running. */
  resync(object: ObjectRef): Promise<void>;
  /** Tells a workflow that is still running to look at its row; does nothing when there is none. */
  wake(object: ObjectRef): Promise<void>;
}

export function createObjectGateway(client: Client, taskQueue: string): ObjectGateway {
  const soon = <T>(work: () => Promise<T>) => client.withDeadline(Date.now() + RPC_DEADLINE_MS, work);
  return {
    async ensure(object) {
      const { type, options } = startOf(object, taskQueue);
      await soon(() => client.workflow.start(type, options));
    },
    async resync(object) {
      const { type, options } = startOf(object, taskQueue);
      const told = { ...options, signal: messages.resyncSignal, signalArgs: [] as [] };
      await soon(() => client.workflow.signalWithStart(type, told));
    },
    async wake(object) {
      const handle = client.workflow.getHandle(workflowIdOf(object));
      try {
        await soon(() => handle.signal(messages.resyncSignal));
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
  };
}
