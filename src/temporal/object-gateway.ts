/**
 * The workflows of objects as seen from outside, whatever kind the object is: started, woken and told to look. Every call
 * has a deadline, and what needs the workflow starts it where it is missing, because the row, not Temporal, says whether
 * an object is live.
 */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { workflowIdOf } from '../domain/ids';
import type { ObjectKind, ObjectRef } from '../domain/ids';
import { formatMoney } from '../domain/money';
import { searchAttributesOf } from '../domain/search-attributes';
import type { Traits } from '../domain/search-attributes';
import * as messages from '../workflows/messages';
import { findably } from './search-attributes';

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

/** An object that was just made, with what it can be found by before a worker has looked at it. */
export type NewObject = ObjectRef & { readonly traits?: NewTraits };
export type NewTraits = Required<Pick<Traits, 'orderNo' | 'channel' | 'status' | 'currency' | 'amount'>>;

/**
 * Type of the object's workflow, and how it is started: the one that runs is used, a closed one is followed by another.
 * @param isFindable with search attributes; see `findably`
 */
export function startOf(object: NewObject, taskQueue: string, isFindable = true) {
  const workflow = WORKFLOWS[object.kind];
  const { merchantId, no: number, traits } = object;
  const options = {
    workflowId: workflowIdOf(object),
    taskQueue,
    args: [workflow.argsOf(object)] as [unknown],
    workflowIdConflictPolicy: 'USE_EXISTING' as const,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' as const,
    staticSummary: summaryOf(workflow.name, number, traits),
    ...(isFindable && { typedSearchAttributes: searchAttributesOf({ merchantId, number, ...traits }) }),
  };
  return { type: workflow.type, options };
}

/** `hold PA1 of 500.00 USD, order ORDER-1` */
function summaryOf(name: string, no: string, traits: NewTraits | undefined): string {
  return traits === undefined
    ? `${name} ${no}`
    : `${name} ${no} of ${formatMoney(traits)}, order ${traits.orderNo}`;
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
      await soon(() =>
        findably((isFindable) => {
          const { type, options } = startOf(object, taskQueue, isFindable);
          return client.workflow.start(type, options);
        }),
      );
    },
    async resync(object) {
      await soon(() =>
        findably((isFindable) => {
          const { type, options } = startOf(object, taskQueue, isFindable);
          const told = { ...options, signal: messages.resyncSignal, signalArgs: [] as [] };
          return client.workflow.signalWithStart(type, told);
        }),
      );
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
