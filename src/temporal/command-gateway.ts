/** The workflows of holds, payments and refunds as the API asks them: made, and commanded, each with an answer or the promise of one. */
import type { Client, WorkflowUpdateHandle } from '@temporalio/client';
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
import { setTimeout as sleep } from 'node:timers/promises';
import type { CancelCommand, CaptureCommand, CommandResult } from '../domain/commands';
import { ERROR_MESSAGES } from '../domain/errors';
import type { ErrorCode, ErrorDetails, Refusal } from '../domain/errors';
import { workflowIdOf } from '../domain/ids';
import type { ObjectRef } from '../domain/ids';
import type { CancelPaymentCommand, PaymentResult } from '../domain/payment-commands';
import { createdUpdate } from '../workflows/messages';
import { RPC_DEADLINE_MS, startOf } from './object-gateway';
import type { NewObject } from './object-gateway';
import { findably } from './search-attributes';

type Start = (args: unknown) => Promise<unknown>;

/** What may be asked of an object and what is answered. Updates and signals have the command's kind as their name. */
interface Commands {
  readonly pre_auth: { readonly command: CaptureCommand | CancelCommand; readonly result: CommandResult };
  readonly payment: { readonly command: CancelPaymentCommand; readonly result: PaymentResult };
}

type Commanded = keyof Commands;
type ResultOf<K extends Commanded> =
  Commands[K]['result'] | { readonly kind: 'refused'; readonly refusal: Refusal };

/** What became of a command over the wire. */
export type AskOutcome<K extends Commanded> =
  /** The workflow carried it out or refused it. */
  | { readonly kind: 'result'; readonly result: ResultOf<K> }
  /** It is in the workflow's history for good, and no result came in time. */
  | { readonly kind: 'accepted' }
  /** The object was closed before the command got there. */
  | { readonly kind: 'closed' };

export interface AskRequest<K extends Commanded> {
  readonly object: ObjectRef & { readonly kind: K };
  readonly command: Commands[K]['command'];
  readonly timeoutMs: number;
  /** Whether the row is live: asked when no workflow is found, which is right for a closed object and mended for a live one. */
  readonly isLive: () => Promise<boolean>;
}

export interface CommandGateway {
  /** Starts the object's workflow where none runs and waits until the channel has answered its making. @throws when that takes too long or Temporal is away */
  awaitCreated(object: NewObject, updateId: string, timeoutMs: number): Promise<void>;
  /** A command with a synchronous answer; when none comes in time the signal of the same name. @throws when that fails too: then nobody knows whether it was taken */
  ask<K extends Commanded>(request: AskRequest<K>): Promise<AskOutcome<K>>;
}

/** Proves that the API gave this command; see `markedFor`. */
export type MarkOf = (object: ObjectRef, command: Commands[Commanded]['command']) => string;

export function createCommandGateway(client: Client, taskQueue: string, markOf: MarkOf): CommandGateway {
  const startOperation = (object: NewObject, isFindable: boolean) => {
    const { type, options } = startOf(object, taskQueue, isFindable);
    return new WithStartWorkflowOperation<Start>(type, options);
  };
  const within = <T>(timeoutMs: number, work: () => Promise<T>) =>
    client.withDeadline(Date.now() + timeoutMs, work);

  /** Resolves when the workflow has accepted the update (its outcome is in the handle, often already); null: closed. */
  async function sendUpdate<K extends Commanded>({
    object,
    command,
    isLive,
  }: AskRequest<K>): Promise<WorkflowUpdateHandle<ResultOf<K>> | null> {
    const options = {
      updateId: command.commandId,
      args: [command] as [unknown],
      waitForStage: WorkflowUpdateStage.ACCEPTED,
    } as const;
    try {
      const handle = client.workflow.getHandle(workflowIdOf(object));
      return await handle.startUpdate<ResultOf<K>, [unknown]>(command.kind, options);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      if (!(await isLive())) return null;
      // Terminated by hand, or never started: the live row gets its workflow again.
      return await findably((isFindable) => {
        const startWorkflowOperation = startOperation(object, isFindable);
        return client.workflow.startUpdateWithStart<Start, ResultOf<K>, [unknown]>(command.kind, {
          ...options,
          startWorkflowOperation,
        });
      });
    }
  }

  async function sendSignal<K extends Commanded>({ object, command }: AskRequest<K>): Promise<void> {
    const { kind, commandId, ...fields } = command;
    const signal = { signal: kind, signalArgs: [{ ...fields, command_id: commandId }] as [unknown] };
    await within(RPC_DEADLINE_MS, () =>
      findably((isFindable) => {
        const { type, options } = startOf(object, taskQueue, isFindable);
        return client.workflow.signalWithStart(type, { ...options, ...signal });
      }),
    );
  }

  return {
    async awaitCreated(object, updateId, timeoutMs) {
      await within(timeoutMs, () =>
        again(Date.now() + timeoutMs, () =>
          findably((isFindable) => {
            const startWorkflowOperation = startOperation(object, isFindable);
            return client.workflow.executeUpdateWithStart(createdUpdate, {
              updateId,
              startWorkflowOperation,
            });
          }),
        ),
      );
    },

    async ask(asked) {
      const { timeoutMs, object } = asked;
      const command = { ...asked.command, mark: markOf(object, asked.command) };
      const request = { ...asked, command };
      const endMs = Date.now() + timeoutMs;
      const handle = await within(timeoutMs, () => again(endMs, () => sendUpdate(request))).catch(
        async (error: unknown) => {
          if (error instanceof WorkflowUpdateFailedError) return error;
          await sendSignal(request);
          return undefined;
        },
      );
      if (handle === undefined) return { kind: 'accepted' };
      if (handle === null) return { kind: 'closed' };
      if (handle instanceof WorkflowUpdateFailedError) return { kind: 'result', result: refusalFrom(handle) };
      return within(Math.max(endMs - Date.now(), 1), () => handle.result()).then(
        (result) => ({ kind: 'result', result }),
        (error: unknown) =>
          error instanceof WorkflowUpdateFailedError
            ? { kind: 'result', result: refusalFrom(error) }
            : { kind: 'accepted' },
      );
    },
  };
}

const AGAIN_AFTER_MS = 25;
// A task that is thrown away takes the updates in it along. That happens whenever news arrives while a task is closing
// the workflow, and the channel's event of our own call does just that. The same update id makes repeating it safe.
const TASK_LOST: readonly (number | undefined)[] = [grpcStatus.FAILED_PRECONDITION, grpcStatus.ABORTED];

/** Repeats what was lost together with a workflow task, until `endMs`. */
async function again<T>(endMs: number, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const root = error instanceof ServiceError ? error.cause : error;
      const lost = isGrpcServiceError(root) && TASK_LOST.includes((root as { code?: number }).code);
      if (!lost || Date.now() >= endMs) throw error;
      await sleep(AGAIN_AFTER_MS);
    }
  }
}

/** A refusal travels as ApplicationFailure: its type is the code. Anything else an update fails with is a bug of ours. */
function refusalFrom(error: WorkflowUpdateFailedError): { kind: 'refused'; refusal: Refusal } {
  const cause = error.cause;
  if (!(cause instanceof ApplicationFailure) || !isErrorCode(cause.type)) throw error;
  const details = cause.details?.[0] as ErrorDetails | null | undefined;
  const refusal = { code: cause.type, message: cause.message, ...(details ? { details } : {}) };
  return { kind: 'refused', refusal };
}

function isErrorCode(type: string | null | undefined): type is ErrorCode {
  return typeof type === 'string' && Object.hasOwn(ERROR_MESSAGES, type);
}
