/**
 * The workflows of holds as seen from outside: started, asked and told. Every call has a deadline, and every call that
 * needs the workflow starts it where it is missing, because the row, not Temporal, says whether a hold is live.
 */
import type { Client } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  isGrpcServiceError,
  ServiceError,
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateStage,
} from '@temporalio/client';
import { status as grpcStatus } from '@grpc/grpc-js';
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
  | { readonly kind: 'accepted' }
  /** The hold was closed before the command got there. */
  | { readonly kind: 'closed' };

export interface AskRequest {
  readonly ref: messages.PreAuthArgs;
  readonly command: Command;
  readonly timeoutMs: number;
  /** Whether the row is live: asked when no workflow is found, which is right for a closed hold and mended for a live one. */
  readonly isLive: () => Promise<boolean>;
}

export interface PreAuthGateway {
  /** Starts the hold's workflow where none runs and waits until the channel has answered the create. @throws when that takes too long or Temporal is away */
  awaitCreated(ref: messages.PreAuthArgs, updateId: string, timeoutMs: number): Promise<void>;
  /** Capture or cancel with a synchronous answer; when none comes in time the signal of the same name. @throws when that fails too: then nobody knows whether it was taken */
  ask(request: AskRequest): Promise<AskOutcome>;
  ensurePreAuth(merchantId: string, preAuthNo: string): Promise<void>;
  resyncPreAuth(merchantId: string, preAuthNo: string): Promise<void>;
  wakePreAuth(merchantId: string, preAuthNo: string): Promise<void>;
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

  /** Resolves when the workflow has accepted the update (its outcome is in the handle, often already); null: closed. */
  async function sendUpdate({ ref, command, isLive }: AskRequest) {
    const options = {
      updateId: command.commandId,
      args: [command] as [Command],
      waitForStage: WorkflowUpdateStage.ACCEPTED,
    } as const;
    // The update's name is the command's kind (workflows/messages.ts).
    try {
      const handle = client.workflow.getHandle(preAuthWorkflowId(ref.merchantId, ref.preAuthNo));
      return await handle.startUpdate<CommandResult, [Command]>(command.kind, options);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      if (!(await isLive())) return null;
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

    async wakePreAuth(merchantId, preAuthNo) {
      const handle = client.workflow.getHandle(preAuthWorkflowId(merchantId, preAuthNo));
      try {
        await within(RPC_DEADLINE_MS, () => handle.signal(messages.resyncSignal));
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
  };
}

const AGAIN_AFTER_MS = 25;
// A task that is thrown away takes the updates in it along. That happens whenever news arrives while a task is closing
// the workflow, and the channel's event of our own capture does just that. The same update id makes repeating it safe.
const TASK_LOST: readonly (number | undefined)[] = [grpcStatus.FAILED_PRECONDITION, grpcStatus.ABORTED];

async function again<T>(endMs: number, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const lost =
        isGrpcServiceError(rootOf(error)) && TASK_LOST.includes((rootOf(error) as { code?: number }).code);
      if (!lost || Date.now() >= endMs) throw error;
      await sleep(AGAIN_AFTER_MS);
    }
  }
}

function rootOf(error: unknown): unknown {
  return error instanceof ServiceError ? error.cause : error;
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
