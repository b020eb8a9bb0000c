/** The account of a new order: from memory as a rule, from the database before anybody is told that there is none. */
import { chooseChannel } from '../../src/routing/choose';
import { switchAccount } from '../../src/stores/channel-accounts';
import { withTransaction } from '../../src/stores/postgres';
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

test('an account that is switched off is none to take another for, and is told as what it is', async () => {
  const [{ id } = { id: '' }] = (
    await own.db.query<{ id: string }>(`SELECT id FROM channel_accounts WHERE channel = 'stripe'`)
  ).rows;
  const by = { actor: 'root', requestId: 'test' };
  const switched = (on: boolean) => withTransaction(own.db, (tx) => switchAccount(tx, by, id, on));
  expect(await switched(false)).toMatchObject({ id, enabled: true });
  const account = { id, switchedOff: true };
  expect(await chooseChannel(blind.router, own.db, inGermany)).toMatchObject({ channel: 'stripe', account });
  await own.router.changed();
  const { decision, ...known } = await chooseChannel(own.router, noQuery, requestOf());
  expect(known).toMatchObject({ channel: 'stripe', account });
  const excluded = decision.candidates.find(({ channel }) => channel === 'stripe')?.excluded;
  expect([decision.level, excluded?.code]).toEqual(['default', 'account_switched_off']);

  await addAccount(own.db, 'paypal');
  expect(await chooseChannel(blind.router, own.db, inGermany)).toMatchObject({ channel: 'paypal' });
  await own.router.changed();
  const other = await chooseChannel(own.router, noQuery, requestOf());
  expect(other).toMatchObject({ channel: 'paypal', decision: { level: 'smart', ranked: ['paypal'] } });
  await own.db.query(`UPDATE channel_accounts SET enabled = false WHERE channel = 'paypal'`);
  await switched(true);
  await own.router.changed();
  expect(await chooseChannel(own.router, noQuery, requestOf())).toMatchObject({ channel: 'stripe' });
});

test('a named channel stays the named one', async () => {
  const request = requestOf({ requestedChannel: 'paypal' });
  for (const { router } of [own, blind])
    expect(await chooseChannel(router, own.db, request)).toMatchObject({
      channel: 'paypal',
      account: undefined,
    });
});
