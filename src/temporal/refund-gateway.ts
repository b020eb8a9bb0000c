/** The workflows of refunds as the API asks them. */
import type { Client } from '@temporalio/client';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { refundObject } from '../domain/refund';
import * as messages from '../workflows/messages';
import { again, startOf } from './object-gateway';

type Start = (args: unknown) => Promise<unknown>;

export interface RefundGateway {
  /** Starts the refund's workflow where none runs and waits until the channel has answered. @throws when that takes too long or Temporal is away */
  awaitAnswered(ref: messages.RefundArgs, updateId: string, timeoutMs: number): Promise<void>;
}

export function createRefundGateway(client: Client, taskQueue: string): RefundGateway {
  return {
    async awaitAnswered(ref, updateId, timeoutMs) {
      const { type, options } = startOf(refundObject(ref), taskQueue);
      const endMs = Date.now() + timeoutMs;
      await client.withDeadline(endMs, () =>
        again(endMs, () => {
          const startWorkflowOperation = new WithStartWorkflowOperation<Start>(type, options);
          return client.workflow.executeUpdateWithStart(messages.createdUpdate, {
            updateId,
            startWorkflowOperation,
          });
        }),
      );
    },
  };
}
