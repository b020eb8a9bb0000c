/**
 * The workflows of holds as seen from outside: started, asked and told. Every call has a deadline, and every call that
 * needs the workflow starts it where it is missing, because the row, not Temporal, says whether a hold is live.
 */
import type {
  Client} from '@temporalio/client';
import {
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateStage,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { CancelCommand, CaptureCommand, CommandResult } from '../domain/commands';
import { ERROR_MESSAGES } from '../domain/errors';
import type { ErrorCode, ErrorDetails } from '../domain/errors';
import { preAuthWorkflowId } from '../domain/ids';
import * as messages from '../workflows/messages';

type Command = CaptureCommand | CancelCommand;
type Start = (args: messages.PreAuthArgs) => Promise<unknown>;

const RPC_DEADLINE_MS = 5_000;

/** What became of a command over the wire. */
export type AskOutcome =
  /** The workflow carried it out or refused it. */
  | { readonly kind: 'result'; readonly result: CommandResult }
  /** It is in the workflow's history for good, and no result came in time. */
  | { readonly kind: 'accepted' };

export interface PreAuthGateway {
  /** Starts the hold's workflow where none runs and waits until the channel has answered the create. @throws when that takes too long or Temporal is away */
  awaitCreated(ref: messages.PreAuthArgs, updateId: string, timeoutMs: number): Promise<void>;
  /** Capture or cancel with a synchronous answer; when none comes in time the signal of the same name. @throws when that fails too: then nobody knows whether it was taken */
  ask(ref: messages.PreAuthArgs, command: Command, timeoutMs: number): Promise<AskOutcome>;
  ensurePreAuth(merchantId: string, preAuthNo: string): Promise<void>;
  resyncPreAuth(merchantId: string, preAuthNo: string): Promise<void>;
}

export function createPreAuthGateway(client: Client, taskQueue: string): PreAuthGateway {
  const startOptions = (ref: messages.PreAuthArgs) => ({
    workflowId: preAuthWorkflowId(ref.merchantId, ref.preAuthNo),
    taskQueue,
    args: [ref] as [messages.PreAuthArgs],
    workflowIdConflictPolicy: 'USE_EXISTING' as const,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' as const,
    staticSummary: `hold ${ref.preAuthNo}`,
  });
  const startOperation = (ref: messages.PreAuthArgs) =>
    new WithStartWorkflowOperation<Start>(messages.PRE_AUTH_WORKFLOW, startOptions(ref));
  const within = <T>(timeoutMs: number, work: () => Promise<T>) =>
    client.withDeadline(Date.now() + timeoutMs, work);

  /** Resolves when the workflow has accepted the update; its outcome is in the handle, often already. */
  async function sendUpdate(ref: messages.PreAuthArgs, command: Command) {
    const options = {
      updateId: command.commandId,
      args: [command] as [Command],
      waitForStage: WorkflowUpdateStage.ACCEPTED,
    } as const;
    // The update's name is the command's kind (workflows/messages.ts).
    try {
      return await client.workflow
        .getHandle(preAuthWorkflowId(ref.merchantId, ref.preAuthNo))
        .startUpdate<CommandResult, [Command]>(command.kind, options);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      // Terminated by hand, or never started: the live row gets its workflow again.
      const startWorkflowOperation = startOperation(ref);
      return await client.workflow.startUpdateWithStart<Start, CommandResult, [Command]>(command.kind, {
        ...options,
        startWorkflowOperation,
      });
    }
  }

  async function sendSignal(ref: messages.PreAuthArgs, command: Command): Promise<void> {
    const { kind, commandId, ...fields } = command;
    const signal = kind === 'capture' ? messages.captureSignal : messages.cancelSignal;
    await within(RPC_DEADLINE_MS, () =>
      client.workflow.signalWithStart(messages.PRE_AUTH_WORKFLOW, {
        ...startOptions(ref),
        signal,
        signalArgs: [{ ...fields, command_id: commandId }],
      }),
    );
  }

  return {
    async awaitCreated(ref, updateId, timeoutMs) {
      const startWorkflowOperation = startOperation(ref);
      await within(timeoutMs, () =>
        client.workflow.executeUpdateWithStart(messages.createdUpdate, { updateId, startWorkflowOperation }),
      );
    },

    async ask(ref, command, timeoutMs) {
      const endMs = Date.now() + timeoutMs;
      const handle = await within(timeoutMs, () => sendUpdate(ref, command)).catch(async (error: unknown) => {
        if (error instanceof WorkflowUpdateFailedError) return error;
        await sendSignal(ref, command);
        return undefined;
      });
      if (handle === undefined) return { kind: 'accepted' };
      if (handle instanceof WorkflowUpdateFailedError) return { kind: 'result', result: refusalFrom(handle) };
      return within(Math.max(endMs - Date.now(), 1), () => handle.result()).then(
        (result): AskOutcome => ({ kind: 'result', result }),
        (error: unknown): AskOutcome =>
          error instanceof WorkflowUpdateFailedError
            ? { kind: 'result', result: refusalFrom(error) }
            : { kind: 'accepted' },
      );
    },

    async ensurePreAuth(merchantId, preAuthNo) {
      const ref = { merchantId, preAuthNo };
      await within(RPC_DEADLINE_MS, () =>
        client.workflow.start(messages.PRE_AUTH_WORKFLOW, startOptions(ref)),
      );
    },

    async resyncPreAuth(merchantId, preAuthNo) {
      const ref = { merchantId, preAuthNo };
      await within(RPC_DEADLINE_MS, () =>
        client.workflow.signalWithStart(messages.PRE_AUTH_WORKFLOW, {
          ...startOptions(ref),
          signal: messages.resyncSignal,
          signalArgs: [],
        }),
      );
    },
  };
}

/** A refusal travels as ApplicationFailure: its type is the code. Anything else an update fails with is a bug of ours. */
function refusalFrom(error: WorkflowUpdateFailedError): CommandResult {
  const cause = error.cause;
  if (!(cause instanceof ApplicationFailure) || !isErrorCode(cause.type)) throw error;
  const details = cause.details?.[0] as ErrorDetails | null | undefined;
  const refusal = { code: cause.type, message: cause.message, ...(details ? { details } : {}) };
  return { kind: 'refused', refusal };
}

function isErrorCode(type: string | null | undefined): type is ErrorCode {
  return typeof type === 'string' && Object.hasOwn(ERROR_MESSAGES, type);
}
