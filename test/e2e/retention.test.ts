/** Temporal forgets a closed workflow after its retention; PostgreSQL does not. */
import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import { signEvent } from '../../dev/stripe-sandbox/events';
import { expectAgreement, eventTypesOf } from './checks';
import { eventually, SECRETS, startSystem } from './harness';
import type { System } from './harness';
import { holdOf } from './merchant-client';
import type { MerchantClient } from './merchant-client';
import type { Hold, NewHold } from '../../dev/demo-client';

let system: System;
let client: MerchantClient;

let forgotten: readonly { hold: NewHold; closed: Hold }[];

// The server takes some 20 s to delete a workflow that has just closed, so all of them go at once.
beforeAll(async () => {
  system = await startSystem();
  client = system.client();
  forgotten = await Promise.all([holdOf(), holdOf(), holdOf()].map(captureAndForget));
}, 90_000);
afterAll(() => system?.stop());

/** What retention does: the closed workflow is gone, with its history and its updates. */
async function forget(preAuthNo: string): Promise<void> {
  await system.workflow(preAuthNo).result();
  await system.temporal.workflowService.deleteWorkflowExecution({
    namespace: system.temporal.options.namespace,
    workflowExecution: { workflowId: system.workflowId(preAuthNo) },
  });
  await eventually('the workflow is gone', () => isGone(preAuthNo), Boolean, 150_000);
}

async function isGone(preAuthNo: string): Promise<boolean> {
  try {
    await system.workflow(preAuthNo).describe();
    return false;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return true;
    throw error;
  }
}

const captureKey = (hold: Hold) => `capture-${hold.pre_auth_no}`;

async function captureAndForget(hold: NewHold) {
  const held = await client.held(system.sandbox.url, hold);
  expect((await client.capture(held.pre_auth_no, { amount: 20_000 }, captureKey(held))).status).toBe(200);
  await forget(held.pre_auth_no);
  return { hold, closed: (await client.get(held.pre_auth_no)).data };
}

/** One of the holds that Temporal knows no more, a different one for each test. */
function forgottenHold(n: number) {
  const one = forgotten[n];
  if (one === undefined) throw new Error('there are not so many');
  return one;
}

it('answers the same hold again from its row, and another one with a conflict', async () => {
  const { hold, closed } = forgottenHold(0);
  const again = await client.create(hold);
  // A hold that is asked for by itself shows its way besides.
  const {
    routing: _routing,
    attempts: _attempts,
    ...told
  } = closed as typeof closed & Record<string, unknown>;
  expect({ status: again.status, data: again.data }).toEqual({ status: 200, data: told });
  expect(await client.create({ ...hold, amount: 1_000 })).toMatchObject({
    status: 409,
    code: 'PRE_AUTH_CONFLICT',
  });
  expect(await isGone(closed.pre_auth_no)).toBe(true);
});

it('refuses commands with the state, and answers a repeated one from its record', async () => {
  const { closed } = forgottenHold(1);
  const refusal = { status: 409, code: 'PRE_AUTH_CLOSED', details: { status: 'succeeded' } };
  expect(await client.capture(closed.pre_auth_no, {}, randomUUID())).toMatchObject(refusal);
  expect(await client.cancel(closed.pre_auth_no)).toMatchObject(refusal);
  expect(await client.capture(closed.pre_auth_no, { amount: 20_000 }, captureKey(closed))).toMatchObject({
    status: 200,
    data: { amount: 20_000, amount_captured: 20_000 },
  });
  expect(await isGone(closed.pre_auth_no)).toBe(true);
  await expectAgreement(system, closed.pre_auth_no);
});

it('notes a late event beside the row, and starts no workflow for it', async () => {
  const { closed } = forgottenHold(2);
  const events = await eventTypesOf(system, closed.pre_auth_no);
  const object = { object: 'payment_intent', id: closed.channel_pre_auth_no };
  const body = JSON.stringify({
    ...{ id: `evt_${randomUUID()}`, object: 'event', type: 'payment_intent.succeeded', data: { object } },
  });
  const response = await fetch(`${system.apiUrl}/api/v1/channels/stripe/${system.accountId}/events`, {
    method: 'POST',
    headers: { 'stripe-signature': signEvent(body, SECRETS.webhookSecret, Math.floor(Date.now() / 1000)) },
    body,
  });
  expect(response.status).toBe(200);
  const notes = await eventually(
    'the note of the late event',
    () =>
      system.rows<{ type: string; status: string; data: object }>(
        `SELECT type, status, data FROM payment_events WHERE object_no = $1 AND sequence < 0 AND data ->> 'event_type' = 'payment_intent.succeeded'`,
        [closed.pre_auth_no],
      ),
    (rows) => rows.length > 0,
  );
  for (const note of notes) {
    expect(note).toMatchObject({
      type: 'channel.late_event',
      status: 'succeeded',
      data: { channel_status: 'succeeded', amount_captured: 20_000 },
    });
  }
  await eventually(
    'all its events are processed',
    () =>
      system.rows<{ state: string }>('SELECT state FROM channel_events WHERE object_id = $1', [
        closed.channel_pre_auth_no,
      ]),
    (rows) => rows.every(({ state }) => state === 'processed'),
  );
  expect((await client.get(closed.pre_auth_no)).data).toEqual(closed);
  expect(await eventTypesOf(system, closed.pre_auth_no)).toEqual(events);
  expect(await isGone(closed.pre_auth_no)).toBe(true);
});
