/** The workflows of payments as the API asks them: made, and cancelled, each with an answer or the promise of one. */
import type { Client } from '@temporalio/client';
import {
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateStage,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { ERROR_MESSAGES } from '../domain/errors';
import type { ErrorCode, ErrorDetails } from '../domain/errors';
import { workflowIdOf } from '../domain/ids';
import { paymentObject } from '../domain/payment';
import type { CancelPaymentCommand, PaymentResult } from '../domain/payment-commands';
import * as messages from '../workflows/messages';
import { again, startOf } from './object-gateway';

type Start = (args: unknown) => Promise<unknown>;
type Arguments = [CancelPaymentCommand];

const RPC_DEADLINE_MS = 5_000;

/** What became of a command over the wire. */
export type PaymentAskOutcome =
  /** The workflow carried it out or refused it. */
  | { readonly kind: 'result'; readonly result: PaymentResult }
  /** It is in the workflow's history for good, and no result came in time. */
  | { readonly kind: 'accepted' }
  /** The payment was closed before the command got there. */
  | { readonly kind: 'closed' };

export interface PaymentAskRequest {
  readonly ref: messages.PaymentArgs;
  readonly command: CancelPaymentCommand;
  readonly timeoutMs: number;
  /** Whether the row is live: asked when no workflow is found, which is right for a closed payment and mended for a live one. */
  readonly isLive: () => Promise<boolean>;
}

export interface PaymentGateway {
  /** Starts the payment's workflow where none runs and waits until the channel has answered the create. @throws when that takes too long or Temporal is away */
  awaitCreated(ref: messages.PaymentArgs, updateId: string, timeoutMs: number): Promise<void>;
  /** Cancel with a synchronous answer; when none comes in time the signal of the same name. @throws when that fails too: then nobody knows whether it was taken */
  ask(request: PaymentAskRequest): Promise<PaymentAskOutcome>;
}

export function createPaymentGateway(client: Client, taskQueue: string): PaymentGateway {
  const startFor = (ref: messages.PaymentArgs) => startOf(paymentObject(ref), taskQueue);
  const startOperation = (ref: messages.PaymentArgs) => {
    const { type, options } = startFor(ref);
    return new WithStartWorkflowOperation<Start>(type, options);
  };
  const within = <T>(timeoutMs: number, work: () => Promise<T>) =>
    client.withDeadline(Date.now() + timeoutMs, work);

  /** Resolves when the workflow has accepted the update (its outcome is in the handle, often already); null: closed. */
  async function sendUpdate({ ref, command, isLive }: PaymentAskRequest) {
    const options = {
      updateId: command.commandId,
      args: [command] as Arguments,
      waitForStage: WorkflowUpdateStage.ACCEPTED,
    } as const;
    try {
      const handle = client.workflow.getHandle(workflowIdOf(paymentObject(ref)));
      return await handle.startUpdate(messages.cancelPaymentUpdate, options);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      if (!(await isLive())) return null;
      // Terminated by hand, or never started: the live row gets its workflow again.
      const startWorkflowOperation = startOperation(ref);
      return await client.workflow.startUpdateWithStart(messages.cancelPaymentUpdate, {
        ...options,
        startWorkflowOperation,
      });
    }
  }

  async function sendSignal(ref: messages.PaymentArgs, command: CancelPaymentCommand): Promise<void> {
    const { type, options } = startFor(ref);
    const { by, commandId } = command;
    const told = [{ ...(by !== undefined && { by }), command_id: commandId }] as [unknown];
    await within(RPC_DEADLINE_MS, () =>
      client.workflow.signalWithStart(type, {
        ...options,
        signal: messages.cancelSignal,
        signalArgs: told,
      }),
    );
  }

  return {
    async awaitCreated(ref, updateId, timeoutMs) {
      await within(timeoutMs, () =>
        again(Date.now() + timeoutMs, () => {
          const startWorkflowOperation = startOperation(ref);
          return client.workflow.executeUpdateWithStart(messages.createdUpdate, {
            updateId,
            startWorkflowOperation,
          });
        }),
      );
    },

    async ask(request) {
      const { ref, command, timeoutMs } = request;
      const endMs = Date.now() + timeoutMs;
      const handle = await within(timeoutMs, () => again(endMs, () => sendUpdate(request))).catch(
        async (error: unknown) => {
          if (error instanceof WorkflowUpdateFailedError) return error;
          await sendSignal(ref, command);
          return undefined;
        },
      );
      if (handle === undefined) return { kind: 'accepted' };
      if (handle === null) return { kind: 'closed' };
      if (handle instanceof WorkflowUpdateFailedError) return { kind: 'result', result: refusalFrom(handle) };
      return within(Math.max(endMs - Date.now(), 1), () => handle.result()).then(
        (result): PaymentAskOutcome => ({ kind: 'result', result }),
        (error: unknown): PaymentAskOutcome =>
          error instanceof WorkflowUpdateFailedError
            ? { kind: 'result', result: refusalFrom(error) }
            : { kind: 'accepted' },
      );
    },
  };
}

/** A refusal travels as ApplicationFailure: its type is the code. Anything else an update fails with is a bug of ours. */
function refusalFrom(error: WorkflowUpdateFailedError): PaymentResult {
  const cause = error.cause;
  if (!(cause instanceof ApplicationFailure) || !isErrorCode(cause.type)) throw error;
  const details = cause.details?.[0] as ErrorDetails | null | undefined;
  const refusal = { code: cause.type, message: cause.message, ...(details ? { details } : {}) };
  return { kind: 'refused', refusal };
}

function isErrorCode(type: string | null | undefined): type is ErrorCode {
  return typeof type === 'string' && Object.hasOwn(ERROR_MESSAGES, type);
}
