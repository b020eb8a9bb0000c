/** An operator is called to what stands in the database, as often as it came to stand there. */
import type { PoolClient } from 'pg';
import { callOnceCommitted } from '../../src/activities/attention';
import type { ActivityDeps } from '../../src/activities/deps';
import { noteSucceeded } from '../../src/activities/paid';
import type { Payment } from '../../src/domain/payment';
import { afterCommit, createDatabase, withTransaction } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';

const object = { merchantId: 'm', kind: 'payment', no: 'PY1' } as const;
const before = { channel: 'stripe', needsAttention: null } as const;
const next = { channel: 'stripe', needsAttention: 'look' } as const;

let database: TestDatabase;
let db: Database;
let said: string[];

beforeAll(async () => {
  database = await createTestDatabase();
  // One connection: what a transaction leaves behind would meet the next one.
  db = createDatabase({ ...database.config, DB_POOL_SIZE: 1 }, () => undefined);
});
afterAll(async () => {
  await db?.end();
  await database?.drop();
});
beforeEach(() => {
  said = [];
});

const deps = {
  callOperator: (_: unknown, __: unknown, reason: string) => said.push(reason),
} as never as ActivityDeps;
const call = (tx: PoolClient) => callOnceCommitted(deps, tx, object, before, next);

test('once after the commit, not before', async () => {
  await withTransaction(db, (tx) => {
    call(tx);
    expect(said).toEqual([]);
    return Promise.resolve();
  });
  await withTransaction(db, () => Promise.resolve());
  expect(said).toEqual(['look']);
});

test('once, when the first attempt was rolled back', async () => {
  const failing = withTransaction(db, (tx) => {
    call(tx);
    return Promise.reject(new Error('lost'));
  });
  await expect(failing).rejects.toThrow('lost');
  expect(said).toEqual([]);
  await withTransaction(db, (tx) => Promise.resolve(call(tx)));
  expect(said).toEqual(['look']);
});

test('once, when it is the commit that fails', async () => {
  await db.query('CREATE TABLE a (n int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)');
  const failing = withTransaction(db, async (tx) => {
    await tx.query('INSERT INTO a VALUES (1), (1)');
    call(tx);
  });
  await expect(failing).rejects.toThrow(/duplicate key/);
  expect(said).toEqual([]);
});

test('what follows a commit and throws undoes nothing and keeps nothing back', async () => {
  const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const broken = () => {
    throw new Error('the count is broken');
  };
  const failing = { ...deps, notePaid: broken } as ActivityDeps;
  const place = { world: 'test', country: null } as const;
  const payment = { ...object, channel: 'stripe', channelAccountId: 'a', currency: 'USD', amountPaid: 100 };
  const open = { ...payment, status: 'pending' } as never as Payment;
  const paid = { ...payment, status: 'success' } as never as Payment;
  for (let n = 0; n < 2; n += 1) {
    const result = withTransaction(db, (tx) => {
      afterCommit(tx, () => noteSucceeded(failing, place, open, paid));
      call(tx);
      return Promise.resolve('committed');
    });
    await expect(result).resolves.toBe('committed');
  }
  expect(said).toEqual(['look', 'look']);
  expect(warned).toHaveBeenCalledTimes(1);
  warned.mockRestore();
});
