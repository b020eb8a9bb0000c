/**
 * The paths through a delivery's and a sweep's life that are recorded: what the activities answer one after the other,
 * and what is said to the workflow from outside.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import type { RetryStep } from '../src/activities/deliver';
import type { WebhookDeliveryState } from '../src/workflows/messages';

export interface DeliveryPath {
  readonly name: string;
  /** Milliseconds until the first retry is due. */
  readonly pauseMs: number;
  readonly steps: readonly RetryStep[];
  readonly drive?: (workflow: WorkflowHandle) => Promise<void>;
  /** What the workflow returns. */
  readonly ends: string;
}

const LONG_MS = 600_000;
const POLL_MS = 50;
const delivered: RetryStep = { kind: 'ended', status: 'success' };
const handedBack: RetryStep = { kind: 'handed_back' };
const retry = (attempts: number, pauseMs: number, lastAnswer = 'HTTP 500'): RetryStep => {
  return { kind: 'retry', attempts, pauseMs, lastAnswer };
};
const wait = (pauseMs: number): RetryStep => ({ kind: 'wait', pauseMs });

export const DELIVERY_PATHS: readonly DeliveryPath[] = [
  {
    name: 'webhook-delivered-by-third-retry',
    pauseMs: 500,
    steps: [retry(2, 700), retry(3, 900, 'TIMEOUT'), delivered],
    ends: 'success',
  },
  {
    name: 'webhook-ladder-ran-out',
    pauseMs: -1,
    steps: [retry(2, 200), { kind: 'ended', status: 'failed' }],
    ends: 'failed',
  },
  {
    name: 'webhook-retried-by-operator',
    pauseMs: LONG_MS,
    steps: [retry(2, LONG_MS), delivered],
    async drive(workflow) {
      await workflow.signal('retry_now');
      // What is said while an attempt runs is answered by that attempt: so the next word waits for the pause after it.
      for (let attempts = 1; attempts < 2; await sleep(POLL_MS)) {
        ({ attempts } = await workflow.query<WebhookDeliveryState>('status'));
      }
      await workflow.signal('retry_now');
    },
    ends: 'success',
  },
  {
    name: 'webhook-given-up-by-operator',
    pauseMs: LONG_MS,
    steps: [],
    drive: (workflow) => workflow.signal('give_up', { reason: 'the shop has closed' }),
    ends: 'failed',
  },
  {
    name: 'webhook-canceled-in-web-ui',
    pauseMs: LONG_MS,
    steps: [],
    async drive(workflow) {
      await workflow.cancel();
    },
    ends: 'failed',
  },
  { name: 'webhook-handed-back', pauseMs: 300, steps: [handedBack], ends: 'handed back' },
  {
    name: 'webhook-waited-for-a-lease',
    pauseMs: -1,
    steps: [wait(1_500), wait(-1), delivered],
    ends: 'success',
  },
  {
    name: 'webhook-woken',
    pauseMs: LONG_MS,
    steps: [handedBack],
    drive: (workflow) => workflow.signal('wake'),
    ends: 'handed back',
  },
];

export const SWEEP_PATH = 'webhook-sweep';
/** The other deletion by a Schedule. */
export const RETENTION_PATH = 'retention';
