/** The account of a new order: from memory as a rule, from the database before anybody is told that there is none. */
import { chooseChannel } from '../../src/routing/choose';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';
import { addAccount, requestOf, startRouter } from './rig';
import type { TestRouter } from './rig';

/** Nothing listens there. */
const NOWHERE = 1;

let database: TestDatabase;
let own: TestRouter;
let blind: TestRouter;

beforeAll(async () => {
  database = await createTestDatabase();
  const policy = { mode: 'balanced' } as const;
  own = await startRouter(database.config, { policy });
  blind = await startRouter({ ...database.config, DB_PORT: NOWHERE, REDIS_PORT: NOWHERE }, { policy });
});
afterAll(async () => {
  await Promise.all([own.stop(), blind.stop()]);
  await database.drop();
});

const inGermany = requestOf({ country: { code: 'DE', source: 'explicit' } });
const noQuery = { query: () => Promise.reject(new Error('no query is needed')) };

test('no account anywhere: the default channel, without an account', async () => {
  const choice = await chooseChannel(own.router, own.db, requestOf());
  expect(choice).toMatchObject({ channel: 'stripe', account: undefined, decision: { level: 'default' } });
});

test('an account that this process has not heard of yet is found all the same', async () => {
  await addAccount(own.db, 'stripe');
  const { channel, account, decision } = await chooseChannel(own.router, own.db, requestOf());
  expect(channel).toBe('stripe');
  expect(account?.id).toBe(decision.accountId);
  await own.router.changed();
  const known = await chooseChannel(own.router, noQuery, requestOf());
  expect(known).toMatchObject({ account: { id: account?.id, contract: {} }, decision: { level: 'smart' } });
});

test('a process that knows nothing takes the best channel that has an account', async () => {
  expect(blind.router.status().source).toBe('built_in');
  expect(blind.router.decide(inGermany).ranked).toEqual(['paypal', 'stripe']);
  const choice = await chooseChannel(blind.router, own.db, inGermany);
  expect(choice).toMatchObject({ channel: 'stripe', decision: { channel: 'stripe', level: 'smart' } });
  expect(choice.account?.id).toBe(choice.decision.accountId);
});

test('a named channel stays the named one', async () => {
  const request = requestOf({ requestedChannel: 'paypal' });
  for (const { router } of [own, blind])
    expect(await chooseChannel(router, own.db, request)).toMatchObject({
      channel: 'paypal',
      account: undefined,
    });
});
