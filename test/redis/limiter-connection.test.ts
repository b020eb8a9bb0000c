/**
 * The connection of the limiter, over which the questions of a turn travel together: what becomes of them when Redis forgets its
 * scripts, or goes away in their midst. On a Redis of its own, behind a proxy that writes down what is sent.
 */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { temporaryDataDir } from '../../dev/stack/paths';
import { freePort } from '../../dev/stack/ports';
import type { Server } from '../../dev/stack/processes';
import { startRedis } from '../../dev/stack/redis';
import { createGuardedLimiter } from '../../src/api/limits/guarded-limiter';
import type { GuardedLimiter } from '../../src/api/limits/guarded-limiter';
import { createProcessShare } from '../../src/api/limits/process-share';
import { createLocalLimiter } from '../../src/domain/limits/local-limiter';
import { createPipelining, createRedis } from '../../src/redis/client';
import { createTierLimiter } from '../../src/redis/tier-limiter';
import type { TierLimiter } from '../../src/redis/tier-limiter';
import { eventually } from '../e2e/eventually';

const WIDE = {
  perSecond: 100_000,
  burst: 100_000,
  perMinute: 1_000_000,
  perHour: 1_000_000,
  concurrency: 100_000,
};
const MERCHANT = '0d3f5f1e-6c0b-4b7e-9a5c-2f1f6b0c9e11';
const TIMEOUT_MS = 250;
const ASKERS = 20;

const log = pino({ level: 'silent' });
const dataDir = temporaryDataDir('limiter-connection');
let server: Server;
let proxy: NetServer;
let sent: Buffer[][];
/** While true what Redis answers is kept back. */
let isMute: boolean;
let redis: Redis;
let pipelining: Redis;
let limiter: TierLimiter;

beforeAll(async () => {
  const port = await freePort();
  server = await startRedis({ dataDir, port, report: () => undefined, environment: process.env });
});
afterAll(async () => {
  await server.stop();
  rmSync(dataDir, { recursive: true, force: true });
});
beforeEach(async () => {
  [sent, isMute] = [[], false];
  proxy = createServer(passOn).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  redis = createRedis({ REDIS_HOST: '127.0.0.1', REDIS_PORT: port, REDIS_PASSWORD: '' }, log);
  pipelining = createPipelining(redis);
  await Promise.all([once(redis, 'ready'), redis.connect(), once(pipelining, 'ready'), pipelining.connect()]);
  await redis.flushall();
  limiter = createTierLimiter(pipelining, '');
});
afterEach(() => {
  redis.disconnect();
  pipelining.disconnect();
  proxy.close();
});

function passOn(client: Socket): void {
  const parts: Buffer[] = [];
  sent.push(parts);
  const upstream = connect(server.address.port, '127.0.0.1');
  client.on('data', (part) => {
    parts.push(part);
    upstream.write(part);
  });
  upstream.on('data', (part) => void (isMute || client.write(part)));
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    one.on('error', () => undefined);
    one.once('close', () => other.destroy());
  }
}

/** Of one connection, each command with its arguments; the last one may have been cut. */
function commandsIn(parts: readonly Buffer[]): string[][] {
  const lines = Buffer.concat(parts).toString('latin1').split('\r\n');
  const commands: string[][] = [];
  for (let at = 0; at < lines.length;) {
    if (lines[at]?.startsWith('*') !== true) {
      at += 1;
      continue;
    }
    const count = Number(lines[at]?.slice(1));
    let [words, next] = [[] as string[], at + 1];
    for (; words.length < count && next < lines.length;) {
      // A script has line ends of its own, without a carriage return.
      words = [...words, lines[next + 1] ?? ''];
      next += 2;
    }
    commands.push(words);
    at = next;
  }
  return commands;
}

/** How often each lease was asked for. */
function questions(): Map<string, number> {
  const asked = new Map<string, number>();
  for (const [name = '', ...rest] of sent.flatMap(commandsIn)) {
    const lease = rest.at(-1) ?? '';
    if (/^eval/i.test(name) && lease.startsWith('lease-')) asked.set(lease, (asked.get(lease) ?? 0) + 1);
  }
  return asked;
}

it('gives Redis its script again when it has forgotten it, and counts each question once', async () => {
  let asked = 0;
  const ask = () => limiter.acquire(MERCHANT, WIDE, `lease-${(asked += 1)}`);
  const askAll = () => Promise.all(Array.from({ length: ASKERS }, ask));
  for (let round = 0; round < 50; round += 1) {
    const before = [askAll(), sleep(round % 3).then(askAll)];
    const flushed = sleep(1).then(() => redis.script('FLUSH'));
    const answers = (await Promise.all([...before, sleep(1).then(askAll), flushed.then(askAll)])).flat();
    expect(answers.filter(({ allowed }) => !allowed)).toEqual([]);
  }
  const { hour, minute, concurrent } = await limiter.usage(MERCHANT, WIDE);
  expect([hour.used, minute.used, concurrent.used]).toEqual([asked, asked, asked]);
  // Some were asked again, because Redis had done nothing but say that it knows no such script.
  expect(Math.max(...questions().values())).toBe(2);
});

interface Load {
  readonly guarded: GuardedLimiter;
  readonly asked: () => number;
  /** Of all that were asked; rejects when one of them has rejected. */
  stop(): Promise<readonly ('redis' | 'local')[]>;
}

function load(): Load {
  const guarded = createGuardedLimiter({
    ...{ redis: limiter, inProcess: createLocalLimiter(), log, nowMs: Date.now, timeoutMs: TIMEOUT_MS },
    share: createProcessShare(pipelining, '', 'one', 1),
    policy: { opensAfter: 3, closesAfter: 2 },
  });
  guarded.start();
  let [asked, isOver] = [0, false];
  const askAgainAndAgain = async () => {
    const modes: ('redis' | 'local')[] = [];
    while (!isOver) {
      const { answer, lease } = await guarded.acquire(MERCHANT, WIDE, `lease-${(asked += 1)}`);
      expect(answer.allowed).toBe(true);
      modes.push(lease.mode);
      await sleep(1);
    }
    return modes;
  };
  const askers = Promise.all(Array.from({ length: ASKERS }, askAgainAndAgain));
  return {
    guarded,
    asked: () => asked,
    async stop() {
      isOver = true;
      const modes = (await askers).flat();
      await guarded.stop();
      return modes;
    },
  };
}

it.each([
  ['in the midst of its answers', 0],
  ['when it has not answered for a while', 100],
])(
  'a Redis that dies %s and comes back is asked nothing twice, and every question is answered',
  async (_, muteMs) => {
    const under = load();
    await sleep(300);
    isMute = muteMs > 0;
    await sleep(muteMs);
    await server.kill();
    isMute = false;
    const isMode = (wanted: string) => (mode: string) => mode === wanted;
    await eventually('fallback', () => under.guarded.mode(), isMode('local'));
    await sleep(200);
    await server.restart();
    await eventually('hand back', () => under.guarded.mode(), isMode('redis'));
    await sleep(300);
    const modes = await under.stop();
    expect(modes).toHaveLength(under.asked());
    const locally = modes.filter(isMode('local')).length;
    expect(locally).toBeGreaterThan(0);
    const asked = questions();
    expect([...asked].filter(([, count]) => count > 1)).toEqual([]);
    // Its own connection is a new one, and what was asked on the old one is not asked there.
    expect(asked.size).toBeGreaterThanOrEqual(modes.length - locally);
    // Redis keeps what it had written (each second), and has counted nothing that it was not asked.
    const { hour } = await limiter.usage(MERCHANT, WIDE);
    expect(hour.used).toBeLessThanOrEqual(asked.size);
  },
);
