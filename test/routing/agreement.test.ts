/** Eight processes decide while the configuration changes: no decision by half a change, and at last all go by the last one. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { typescriptArgs } from '../../dev/stack/paths';
import { withTransaction } from '../../src/stores/postgres';
import { SOAK } from '../e2e/harness';
import { eventually } from '../e2e/eventually';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';
import type { Seen } from './decider';
import { payPalFee, startRouter } from './rig';
import type { TestRouter } from './rig';

const PROCESSES = 8;
const CHANGES = SOAK ? 1_000 : 100;

const FIRST_PRICES = `
INSERT INTO channel_fees (id, channel, basis_points, fixed_minor, version)
SELECT gen_random_uuid(), channel, 0, 1, 1 FROM unnest(ARRAY['stripe', 'paypal']) AS channel`;

let database: TestDatabase;
let own: TestRouter;
const children: ChildProcess[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  own = await startRouter(database.config);
  await own.db.query(FIRST_PRICES);
  await change(1);
  await own.router.changed();
  const [runner = '', file = ''] = typescriptArgs('test/routing/decider.ts');
  for (let n = 0; n < PROCESSES; n += 1) children.push(fork(runner, [file], { env: database.environment }));
  await Promise.all(children.map((child) => once(child, 'message')));
});
afterAll(async () => {
  await Promise.all(
    children
      .filter(({ connected }) => connected)
      .map(async (child) => {
        child.send('stop');
        await once(child, 'exit');
      }),
  );
  await own.stop();
  await database.drop();
});

async function ask(child: ChildProcess): Promise<Seen> {
  const answer = once(child, 'message');
  child.send('tell');
  return (await answer)[0] as Seen;
}

/** Both prices in one transaction, as an operator's change is: between the two statements they differ. */
function change(fixedMinor: number): Promise<number> {
  return withTransaction(own.db, async (tx) => {
    const raised = 'UPDATE routing_version SET version = version + 1 RETURNING version';
    const [row] = (await tx.query<{ version: number }>(raised)).rows;
    for (const channel of ['stripe', 'paypal'])
      await tx.query('UPDATE channel_fees SET fixed_minor = $1 WHERE channel = $2', [fixedMinor, channel]);
    return row?.version ?? 0;
  });
}

test(
  `${CHANGES} changes while ${PROCESSES} processes decide`,
  async () => {
    let last = 0;
    for (let n = 2; n < CHANGES + 2; n += 1) {
      last = await change(n);
      await own.router.changed();
      expect(payPalFee(own)).toBe(n);
    }
    const changedAtMs = Date.now();
    const all = await eventually(
      'all go by the last change',
      () => Promise.all(children.map(ask)),
      (seen) => seen.every(({ version }) => version === last),
      5_000,
    );
    const agreedMs = Date.now() - changedAtMs;
    const told = (value: keyof Seen) => all.reduce((sum, seen) => sum + seen[value], 0);
    expect({ torn: told('torn'), backwards: told('backwards') }).toEqual({ torn: 0, backwards: 0 });
    expect(Math.min(...all.map(({ decisions }) => decisions))).toBeGreaterThan(CHANGES);
    expect(agreedMs).toBeLessThan(1_000);
  },
  SOAK ? 300_000 : 60_000,
);
