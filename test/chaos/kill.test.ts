/**
 * Each process in turn is killed with SIGKILL while holds are under way in every phase, and started again. The merchant
 * repeats what was not answered; in the end nothing is lost, nothing is doubled and the books agree to the cent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Hold } from '../../dev/demo-client';
import type { Server } from '../../dev/stack/processes';
import { eventually } from '../e2e/harness';
import { seededRandom } from '../../dev/seeded-random';
import { checkBooks, isFinal } from './check-books';
import { InsistentMerchant } from './insistent-merchant';
import { SEED, SOAK, startVictims } from './victims';
import type { Victims } from './victims';

const HOLDS = SOAK ? 100 : 12;
const AMOUNT = 50_000;
const AT_ONCE = 8;
/** The commands are spread over this time, the kill falls into it. */
const SPREAD_MS = SOAK ? 3_000 : 600;
/** Long enough to be made and confirmed before they expire. */
const EXPIRING_IN_SECONDS = SOAK ? 8 : 4;
const WAITING_IN_SECONDS = SOAK ? 12 : 8;
const DOWN_MIN_MS = 500;
const DOWN_MAX_MS = 2_000;
const SETTLED_WITHIN_MS = SOAK ? 180_000 : 90_000;
const ROUND_TIMEOUT_MS = SETTLED_WITHIN_MS + 120_000;

/** What is under way when the process dies. The last one stays for good, so that its owner can be looked for. */
const PHASES = ['creating', 'waiting', 'held', 'capturing', 'cancelling', 'expiring', 'staying'] as const;
type Phase = (typeof PHASES)[number];

let victims: Victims;
let merchant: InsistentMerchant;

beforeAll(async () => {
  victims = await startVictims();
  merchant = new InsistentMerchant(victims);
}, 180_000);
afterAll(() => victims?.stop(), 30_000);
// The one that was killed is the only one that may be gone.
afterEach(() => expect(victims.deaths).toEqual([]));

const SERVERS: Readonly<Record<string, () => Server>> = {
  worker: () => victims.worker,
  API: () => victims.api,
  Temporal: () => victims.stack.temporal,
  PostgreSQL: () => victims.stack.postgres,
  Redis: () => victims.stack.redis,
};

describe(`with ${HOLDS} holds under way (HOLDFAST_SEED=${SEED})`, () => {
  it.each(Object.keys(SERVERS))(
    'survives the death of %s',
    async (name) => {
      const random = seededRandom(SEED + Object.keys(SERVERS).indexOf(name));
      const phases = Array.from({ length: HOLDS }, (_, i) => PHASES[i % PHASES.length] ?? 'creating');
      const under = await prepare(phases);
      await sleep(Math.max(firstExpiryMs(under) - SPREAD_MS / 2 - Date.now(), 0));
      const driving = under.map((one) => drive(one, random() * SPREAD_MS, 1 + Math.floor(random() * AMOUNT)));
      const killing = kill(SERVERS[name]?.() as Server, random);
      await Promise.all([...driving, killing]);
      await expectAllSettled();
      expect(await findings()).toEqual([]);
      await expectOwners();
    },
    ROUND_TIMEOUT_MS,
  );
});

interface UnderWay {
  readonly phase: Phase;
  /** Absent while it is only about to be created. */
  readonly hold: Hold | undefined;
}

/** Brings every hold to its phase; those that expire soon are made last. */
async function prepare(phases: readonly Phase[]): Promise<UnderWay[]> {
  const order = [...phases].sort((a, b) => Number(a === 'expiring') - Number(b === 'expiring'));
  const prepared: UnderWay[] = [];
  for (let done = 0; done < order.length; done += AT_ONCE) {
    prepared.push(...(await Promise.all(order.slice(done, done + AT_ONCE).map(prepareOne))));
  }
  return prepared;
}

async function prepareOne(phase: Phase): Promise<UnderWay> {
  switch (phase) {
    case 'creating':
      return { phase, hold: undefined };
    case 'waiting':
      return { phase, hold: await merchant.create(merchant.hold({ expires_in: WAITING_IN_SECONDS })) };
    case 'expiring':
      return { phase, hold: await merchant.createHeld({ expires_in: EXPIRING_IN_SECONDS }) };
    case 'held':
    case 'capturing':
    case 'cancelling':
    case 'staying':
      return { phase, hold: await merchant.createHeld() };
  }
}

function firstExpiryMs(under: readonly UnderWay[]): number {
  const expiring = under.filter(({ phase }) => phase === 'expiring');
  return Math.min(...expiring.map(({ hold }) => Number(hold?.expires_at) * 1000));
}

/** What merchant and customer do about one hold while the process dies and comes back. */
async function drive({ phase, hold }: UnderWay, delayMs: number, amount: number): Promise<void> {
  await sleep(delayMs);
  const no = hold?.pre_auth_no ?? '';
  switch (phase) {
    case 'creating': {
      const created = await merchant.create(merchant.hold());
      await merchant.confirm(created);
      expect(await merchant.capture(created.pre_auth_no, { amount })).toMatchObject(captured(amount));
      return;
    }
    case 'capturing':
      expect(await merchant.capture(no, { amount })).toMatchObject(captured(amount));
      return;
    case 'held':
      await sleep(SPREAD_MS);
      expect(await merchant.capture(no, {})).toMatchObject(captured(AMOUNT));
      return;
    case 'cancelling':
      expect(await merchant.cancel(no)).toMatchObject({
        status: 200,
        data: { status: 'canceled', amount_released: AMOUNT },
      });
      return;
    case 'waiting':
    case 'expiring':
    case 'staying':
      return;
  }
}

function captured(amount: number) {
  return { status: 200, data: { status: 'succeeded', amount, amount_captured: amount } };
}

async function kill(server: Server, random: () => number): Promise<void> {
  await sleep(SPREAD_MS * (0.1 + 0.8 * random()));
  await server.kill();
  await sleep(DOWN_MIN_MS + random() * (DOWN_MAX_MS - DOWN_MIN_MS));
  await victims.bringUp(server);
}

/** Every hold but those that stay reaches a final state, and nothing is left half done. */
async function expectAllSettled(): Promise<void> {
  await eventually(
    'every hold in a final state',
    async () => {
      const live = await victims.rows<{ pre_auth_no: string; status: string }>(
        `SELECT pre_auth_no, status FROM pre_auths WHERE closed_at IS NULL AND expires_at < now() + interval '1 hour'
         UNION ALL SELECT object_no, operation FROM channel_calls WHERE state = 'open'`,
      );
      return live.map(({ pre_auth_no: no, status }) => `${no} ${status}`);
    },
    (live) => live.length === 0,
    SETTLED_WITHIN_MS,
  );
}

async function findings(): Promise<string[]> {
  const books = await victims.sandbox.books();
  const { accepted, confirmed, told } = merchant;
  const records = await victims.records();
  expect(records.holds.length).toBeGreaterThanOrEqual(HOLDS);
  return checkBooks({ ...records, books, accepted: [...accepted], confirmed, told });
}

/** A live hold has a running workflow, a closed one has none. */
async function expectOwners(): Promise<void> {
  const { holds } = await victims.records();
  expect(holds.some((hold) => !isFinal(hold.status))).toBe(true);
  await victims.withTemporal((client) =>
    eventually(
      'live holds owned, closed ones left',
      async () => {
        const wrong: string[] = [];
        for (const hold of holds) {
          const state = await client.workflow
            .getHandle(victims.holdfastId(hold.pre_auth_no))
            .describe()
            .then(({ status }) => status.name)
            .catch((error: unknown) => {
              if (error instanceof WorkflowNotFoundError) return 'NONE' as const;
              throw error;
            });
          if ((state === 'RUNNING') === isFinal(hold.status)) wrong.push(`${hold.pre_auth_no} ${state}`);
        }
        return wrong;
      },
      (wrong) => wrong.length === 0,
      SETTLED_WITHIN_MS,
    ),
  );
}
