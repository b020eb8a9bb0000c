/** Capture, cancel and expiry at the same moment: exactly one wins, and everybody agrees who it was. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expectAgreement, eventTypesOf } from './checks';
import { SOAK, startSystem } from './harness';
import type { System } from './harness';
import type { MerchantClient, Reply } from './merchant-client';
import { seededRandom } from '../../dev/seeded-random';

const ROUNDS = SOAK ? 200 : 24;
const AT_ONCE = 6;
const SEED = 20_261_123;
const EXPIRES_IN_SECONDS = 3;
/** When the commands are sent, relative to the deadline. The timer's own way takes some time, so most come after it. */
const OFFSETS_MS = [-60, 0, 40, 80, 120, 180];

const WINNERS = {
  succeeded: 'pre_auth.captured',
  canceled: 'pre_auth.canceled',
  expired: 'pre_auth.expired',
} as const;
type Winner = keyof typeof WINNERS;

let system: System;
let client: MerchantClient;

beforeAll(async () => {
  system = await startSystem();
  client = system.client();
});
afterAll(() => system?.stop());

it(
  `lets exactly one of capture, cancel and expiry win, ${ROUNDS} times`,
  async () => {
    const random = seededRandom(SEED);
    const won: Record<Winner, number> = { succeeded: 0, canceled: 0, expired: 0 };
    for (let done = 0; done < ROUNDS; done += AT_ONCE) {
      const rounds = Array.from({ length: Math.min(AT_ONCE, ROUNDS - done) }, (_, i) =>
        round((OFFSETS_MS[i % OFFSETS_MS.length] ?? 0) + random() * 20 - 10, random() < 0.5),
      );
      for (const winner of await Promise.all(rounds)) won[winner] += 1;
    }
    expect(won.succeeded + won.canceled + won.expired).toBe(ROUNDS);
    process.stdout.write(`who won: ${JSON.stringify(won)}\n`);
  },
  ROUNDS * 3_000 + 30_000,
);

async function round(offsetMs: number, captureFirst: boolean): Promise<Winner> {
  const held = await client.held(system.sandbox.url, { expires_in: EXPIRES_IN_SECONDS });
  const no = held.pre_auth_no;
  const [row] = await system.rows<{ expires_at: Date }>(
    'SELECT expires_at FROM pre_auths WHERE pre_auth_no = $1',
    [no],
  );
  const atMs = (row?.expires_at.getTime() ?? 0) + offsetMs;
  await sleep(Math.max(atMs - Date.now(), 0));
  const capture = () => client.capture(no, { amount: 20_000 });
  const cancel = () => client.cancel(no);
  const [captured, canceled] = captureFirst
    ? await Promise.all([capture(), cancel()])
    : (await Promise.all([cancel(), capture()])).reverse();
  if (captured === undefined || canceled === undefined) throw new Error('no answer');
  const { status } = await client.waitFor(no, 'succeeded', 'canceled', 'expired');
  const winner = status as Winner;
  const told = { succeeded: captured.status === 200, canceled: canceled.status === 200, expired: false };
  expect(told).toEqual({
    succeeded: winner === 'succeeded',
    canceled: winner === 'canceled',
    expired: false,
  });
  if (winner !== 'succeeded') expectLoser(captured);
  if (winner !== 'canceled') expectLoser(canceled);
  await expectAgreement(system, no);
  const endings = (await eventTypesOf(system, no)).filter((type) =>
    Object.values<string>(WINNERS).includes(type),
  );
  expect(endings).toEqual([WINNERS[winner]]);
  return winner;
}

function expectLoser(reply: Reply<unknown>): void {
  expect({ status: reply.status, code: reply.code }).toEqual({
    status: 409,
    code: expect.stringMatching(/^PRE_AUTH_(BUSY|CLOSED)$/) as string,
  });
  expect(reply.details?.['status']).toMatch(/^(requires_capture|succeeded|canceled|expired)$/);
}
