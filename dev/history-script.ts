/**
 * What a history is recorded from where the activities only answer: a script of their answers, and what is said to the
 * workflow from outside. What they do in earnest is tested elsewhere; a history only shows what the workflow asks.
 */
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../src/activities';
import type { ObjectRef } from '../src/domain/ids';
import { startOf } from '../src/temporal/object-gateway';

/** One answer of one activity. */
export type Answered<Names extends keyof Activities> = {
  [Name in Names]: readonly [activity: Name, answer: Awaited<ReturnType<Activities[Name]>>];
}[Names];

export interface HistoryScript {
  readonly name: string;
  /** A new object: what is answered when its workflow asks, one after the other, and how the workflow is started. */
  readonly make: () => {
    /** What the activities are called with: the object's number or id. */
    readonly key: string;
    readonly answers: readonly (readonly [activity: string, answer: unknown])[];
    readonly start: (client: Client, taskQueue: string) => Promise<WorkflowHandle>;
  };
  readonly drive?: (workflow: WorkflowHandle) => Promise<unknown>;
  /** What the workflow returns. */
  readonly ends: string;
}

export const CALL_ID = '00000000-0000-4000-8000-000000000001';
export const LONG_MS = 600_000;
export const POLL_MS = 50;

export const unsettled = (retryAfterMs: number) =>
  ({ kind: 'unsettled', callId: CALL_ID, retryAfterMs, reason: 'no answer' }) as const;

export const resync = (workflow: WorkflowHandle) => workflow.signal('resync');

/** The script of an object that has a workflow of its own. */
export function objectScript(
  path: Omit<HistoryScript, 'make'>,
  make: () => {
    object: ObjectRef;
    answers: readonly (readonly [activity: keyof Activities, answer: unknown])[];
  },
): HistoryScript {
  return {
    ...path,
    make() {
      const { object, answers } = make();
      return {
        key: object.no,
        answers,
        start(client, taskQueue) {
          const { type, options } = startOf(object, taskQueue);
          return client.workflow.start(type, options);
        },
      };
    },
  };
}
