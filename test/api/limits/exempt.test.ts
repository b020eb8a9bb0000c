/** Routes that nobody is asked a key for are no way around the limits of the others. */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { z } from 'zod';
import { defineRoute } from '../../../src/api/route';
import type { Route } from '../../../src/api/route';
import { channelEventRoutes } from '../../../src/api/routes/channel-events';
import { InvalidEventSignature } from '../../../src/domain/channel';
import type { ChannelAccount } from '../../../src/domain/channel';
import type { FullAdapter } from '../../../src/domain/channel-payment';
import { createAccountDirectory } from '../../../src/stores/account-directory';
import type { OpenAccountDirectory } from '../../../src/stores/account-directory';
import { createAccount } from '../../../src/stores/channel-accounts';
import { eventually } from '../../e2e/eventually';
import { startApi } from '../harness';
import type { Answer, ApiHarness, Parts } from '../harness';

const BURDEN = 30;
const LIMIT = 40;
const LARGE = 'x'.repeat(8 * 1024 * 1024);

let api: ApiHarness;
/** Questions after accounts that reached the database. */
let asked: string[] = [];
let accounts: OpenAccountDirectory;
/** As a restart does: forgets all accounts that were met. */
let forgetAccounts: () => void;
const sockets: Socket[] = [];

/** Believes what bears its channel's name. */
function adapterFor({ channel }: ChannelAccount): FullAdapter {
  const parseInboundEvent = (_: Buffer, headers: Readonly<Record<string, string | undefined>>) => {
    if (headers['x-signature'] !== 'good') throw new InvalidEventSignature('it is made up');
    return { eventId: randomUUID(), type: 'test', subject: 'other' };
  };
  return { channel, parseInboundEvent } as unknown as FullAdapter;
}

function routes({ db, box }: Parts): Route[] {
  const common = { tag: 'Test', errors: [], responses: {}, summary: '' } as const;
  const exempt = { ...common, auth: 'none', priority: 'exempt', request: {} } as const;
  const noted = {
    query: (text: string, values: unknown[]) => {
      asked.push(String(values[0]));
      return db.query(text, values);
    },
  };
  forgetAccounts = () => {
    accounts = createAccountDirectory(noted, box, adapterFor);
  };
  forgetAccounts();
  return [
    defineRoute({
      ...{ ...common, auth: 'merchant', method: 'get', path: '/t/things/{no}' },
      request: { params: z.strictObject({ no: z.string() }) },
      handler: () => Promise.resolve({ status: 200, data: {} }),
    }),
    defineRoute({
      ...{ ...exempt, method: 'post', path: '/t/events', rawBody: { maxBytes: 1_000 } },
      handler: () => Promise.resolve({ status: 200, data: {} }),
    }),
    defineRoute({
      ...{ ...exempt, method: 'get', path: '/t/document' },
      handler: () => Promise.resolve({ status: 200, raw: { contentType: 'text/plain', body: LARGE } }),
    }),
    ...channelEventRoutes({
      ...{ db, box, log: pino({ level: 'silent' }) },
      accounts: Object.assign((id: string) => accounts(id), {
        isKnown: (id: string) => accounts.isKnown(id),
      }),
      workflows: { resync: () => Promise.resolve() },
    }),
  ];
}

async function start(own: Readonly<Record<string, string>>): Promise<void> {
  asked = [];
  api = await startApi(routes, 15_000, { RATE_LIMIT_MULTIPLIER: '100', ...own });
}
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await api.close();
});

const read = (path = '/t/things/1') => api.request('GET', path, { key: api.merchantKey });
const inFlight = async () =>
  /^holdfast_http_requests_in_flight (\d+)$/m.exec(await api.limits.metrics.page())?.[1];

/** @returns what an ordinary client is told meanwhile */
async function whileMany(bytes: string): Promise<number[]> {
  for (let n = 0; n < BURDEN; n += 1) {
    const socket = connect(api.port, '127.0.0.1', () => socket.write(bytes)).on('error', () => undefined);
    sockets.push(socket.pause());
  }
  const statuses: number[] = [];
  for (let n = 0; n < 12; n += 1) {
    statuses.push((await read()).status);
    await sleep(150);
  }
  return statuses;
}

const HEAD = (method: string, path: string) => `${method} ${path} HTTP/1.1\r\nHost: a\r\n`;

it('who sends the body of an event slowly has no merchant refused', async () => {
  await start({ LOAD_IN_FLIGHT: '2' });
  const bytes = `${HEAD('POST', '/t/events')}Content-Length: 10\r\n\r\n12345`;
  expect(new Set(await whileMany(bytes))).toEqual(new Set([200]));
  expect(await inFlight()).toBe('0');
  for (const socket of sockets.slice(0, BURDEN / 2)) socket.write('67890');
  for (const socket of sockets.slice(BURDEN / 2)) socket.destroy();
  await sleep(300);
  expect(await inFlight()).toBe('0');
});

it('who does not read a document has no merchant refused', async () => {
  await start({ LOAD_IN_FLIGHT: '2' });
  expect(new Set(await whileMany(`${HEAD('GET', '/t/document')}\r\n`))).toEqual(new Set([200]));
  for (const socket of sockets) socket.destroy();
  await sleep(300);
  expect(await inFlight()).toBe('0');
});

async function ask(count: number, one: () => Promise<Answer>): Promise<number[]> {
  const statuses: number[] = [];
  for (let n = 0; n < count; n += 1) statuses.push((await one()).status);
  return statuses;
}
const of = (status: number, count: number): number[] => Array<number>(count).fill(status);

it('an address whose escapes are none counts as one that there is not', async () => {
  await start({ IP_LIMIT_PER_MINUTE: String(LIMIT) });
  expect(await ask(LIMIT + 5, () => api.request('GET', '/t/things/%ff'))).toEqual([
    ...of(400, LIMIT),
    ...of(429, 5),
  ]);
  expect((await read()).status).toBe(429);
});

const eventOf = (account: string, signature = 'bad') =>
  api.request('POST', `/api/v1/channels/stripe/${account}/events`, {
    body: '{}',
    headers: { 'x-signature': signature },
  });

async function newAccount(world: 'live' | 'test' = 'live'): Promise<string> {
  const account = await createAccount(api.db, api.box, {
    ...{ channel: 'stripe', world, merchantId: api.merchant.id, name: 'Own' },
    ...{ credentials: {}, contract: {} },
  });
  return account?.id ?? '';
}

it('an event for nobody counts as a stranger; what is asked for again and again is not looked up each time', async () => {
  await start({ IP_LIMIT_PER_MINUTE: String(LIMIT) });
  const nobody = randomUUID();
  expect(await ask(LIMIT, () => eventOf(nobody))).toEqual(of(404, LIMIT));
  // Once in two seconds.
  const questions = asked.length;
  expect(questions).toBeLessThan(LIMIT / 4);
  // Its limit is reached: whom it makes up now nobody is asked about.
  expect(await ask(5, () => eventOf(randomUUID()))).toEqual(of(429, 5));
  expect(asked).toHaveLength(questions);
  expect((await read()).status).toBe(429);
});

it('what is refused because of the address is not counted again', async () => {
  await start({ IP_LIMIT_PER_MINUTE: String(LIMIT) });
  await ask(LIMIT, () => eventOf('no-uuid'));
  const refusal = await eventOf(randomUUID());
  expect(refusal.json).toMatchObject({
    code: 'RATE_LIMIT_EXCEEDED',
    details: { window: 'minute', limit: LIMIT, scope: 'address' },
  });
  const seconds = Number(refusal.headers.get('retry-after'));
  await sleep(2_100);
  expect(Number((await eventOf(randomUUID())).headers.get('retry-after'))).toBeLessThan(seconds);
});

it("a wrong secret counts, and keeps no other account's events of the same address away", async () => {
  await start({ IP_LIMIT_PER_MINUTE: String(LIMIT) });
  const account = await newAccount();
  expect((await eventOf(account, 'good')).status).toBe(200);
  expect(await ask(LIMIT, () => eventOf(account))).toEqual(of(401, LIMIT));
  expect((await eventOf(randomUUID())).status).toBe(429);
  expect((await eventOf(account, 'good')).status).toBe(200);
  expect((await eventOf(account)).status).toBe(401);
});

it('a restart keeps no events of accounts away, whatever their address has asked for', async () => {
  await start({ IP_LIMIT_PER_MINUTE: String(LIMIT) });
  const [enabled, disabled] = [await newAccount(), await newAccount('test')];
  await api.db.query('UPDATE channel_accounts SET enabled = false WHERE id = $1', [disabled]);
  await ask(LIMIT, () => eventOf(randomUUID()));
  expect((await eventOf(randomUUID())).status).toBe(429);

  forgetAccounts();
  expect((await eventOf(disabled, 'good')).status).toBe(200);
  forgetAccounts();
  await eventOf(randomUUID());
  const strangers = () => eventOf(randomUUID());
  await eventually('refusal', strangers, ({ status }) => status === 429);
  expect((await eventOf(disabled, 'good')).status).toBe(200);
  expect((await eventOf(enabled, 'good')).status).toBe(200);
  expect((await strangers()).status).toBe(429);
});

it('a new account takes events at once, and one that was asked for too early within seconds', async () => {
  await start({ IP_LIMIT_PER_MINUTE: '100000' });
  const account = await newAccount();
  expect((await eventOf(account, 'good')).status).toBe(200);
  const early = randomUUID();
  expect((await eventOf(early, 'good')).status).toBe(404);
  await api.db.query(
    `INSERT INTO channel_accounts (id, merchant_id, world, channel, name, credentials_sealed, contract)
     SELECT $1, NULL, world, channel, name, credentials_sealed, contract FROM channel_accounts WHERE id = $2`,
    [early, account],
  );
  await sleep(2_100);
  expect((await eventOf(early, 'good')).status).toBe(200);
});
