/**
 * Clients that mean no good, or do not know better: slow ones, silent ones, huge ones. Each is told what is wrong, none costs
 * the process more than a little memory, and the others are served all the while.
 */
import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesOf, exchange } from '../api/fuzz-wire';
import type { WireAnswer, WireRequest } from '../api/fuzz-wire';
import { SOAK, startSystem } from '../e2e/harness';
import type { System } from '../e2e/harness';
import { CREATE_PATH, holdOf } from '../e2e/merchant-client';

const IDLE_CONNECTIONS = SOAK ? 10_000 : 1_000;
const LORISES = SOAK ? 200 : 20;
const BOMBS = SOAK ? 5_000 : 300;
const BOMBS_AT_ONCE = 20;
/** Of what one of them may cost, and of what the process takes anyhow once it is warm. */
const KIB_PER_CONNECTION = 24;
const BREATH_KIB = 120 * 1024;
const SERVED_WITHIN_MS = SOAK ? 2_000 : 1_000;
const HEADERS_LIMIT_MS = 10_000;
const BODY_LIMIT_MS = 30_000;
const LATE_BY_MS = 4_000;

let system: System;
let port: number;
let authorization: readonly [string, string];

beforeAll(async () => {
  const environment = {
    ...{ RATE_LIMIT_MULTIPLIER: '10000', IP_LIMIT_PER_MINUTE: '1000000' },
    IP_MAX_CONNECTIONS: String(IDLE_CONNECTIONS + 1_000),
  };
  system = await startSystem({ workerCount: 0, environment });
  port = system.apis[0]?.address.port ?? 0;
  authorization = ['Authorization', `Bearer ${system.merchant.apiKey}`];
  await whileServed(() => sleep(1_000)); // warm
}, 120_000);
afterAll(() => system?.stop());

function residentKib(): number {
  const pid = String(system.apis[0]?.pid() ?? 0);
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', pid], { encoding: 'utf8' }));
}

/** Does `work` while another merchant's requests go on. @throws Error when one of those is not served in time */
async function whileServed<T>(work: () => Promise<T>): Promise<T> {
  let isOver = false;
  const times: number[] = [];
  const others = async (): Promise<void> => {
    while (!isOver) {
      const startedAt = Date.now();
      const { status } = await system.client().call(CREATE_PATH);
      times.push(Date.now() - startedAt);
      expect(status).toBe(200);
      await sleep(50);
    }
  };
  const served = others();
  try {
    return await work();
  } finally {
    isOver = true;
    await served;
    expect(times.length).toBeGreaterThan(5);
    expect(Math.max(...times)).toBeLessThan(SERVED_WITHIN_MS);
  }
}

interface Loris {
  readonly answer: string;
  readonly afterMs: number;
}

/** Sends `head` at once and then a byte a second. @returns what it was told, and after how long the connection ended */
function slowly(head: string, drip: string): Promise<Loris> {
  const startedAt = Date.now();
  return new Promise((resolve) => {
    let answer = '';
    const socket: Socket = connect(port, '127.0.0.1', () => socket.write(head));
    const dripping = setInterval(() => drip !== '' && socket.writable && socket.write(drip), 1_000);
    socket.on('data', (part) => (answer += part.toString('utf8')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(dripping);
      resolve({ answer, afterMs: Date.now() - startedAt });
    });
  });
}

const told = (answer: string) => {
  const { code } = JSON.parse(answer.slice(answer.indexOf('{'))) as { code: string };
  return { status: Number(answer.split(' ')[1]), code };
};

it('lets go of who sends a byte a second, and of who says nothing', async () => {
  const many = (head: string, drip: string) => Array.from({ length: LORISES }, () => slowly(head, drip));
  const [name, key] = authorization;
  const post = `POST ${CREATE_PATH} HTTP/1.1\r\nHost: a\r\n${name}: ${key}\r\nContent-Type: application/json\r\n`;
  const [headers, silent, bodies] = await whileServed(() =>
    Promise.all([
      Promise.all(many('GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ', 'a')),
      Promise.all(many('', '')),
      Promise.all(many(`${post}Content-Length: 1000\r\n\r\n{"a":"`, 'a')),
    ]),
  );
  for (const { answer, afterMs } of [...headers, ...silent]) {
    expect(told(answer)).toEqual({ status: 408, code: 'REQUEST_TIMEOUT' });
    expect(afterMs).toBeLessThan(HEADERS_LIMIT_MS + LATE_BY_MS);
  }
  for (const { answer, afterMs } of bodies) {
    expect(told(answer)).toEqual({ status: 408, code: 'REQUEST_TIMEOUT' });
    expect(afterMs).toBeLessThan(BODY_LIMIT_MS + LATE_BY_MS);
  }
}, 60_000);

it(
  `holds ${IDLE_CONNECTIONS} idle connections`,
  async () => {
    const before = residentKib();
    const sockets: Socket[] = [];
    const open = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () =>
          socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'),
        );
        sockets.push(socket);
        socket.once('data', () => resolve());
        socket.once('error', reject);
      });
    await whileServed(async () => {
      for (let i = 0; i < IDLE_CONNECTIONS; i += 100) await Promise.all(Array.from({ length: 100 }, open));
      await sleep(1_000);
    });
    const taken = residentKib() - before;
    process.stderr.write(`  ${IDLE_CONNECTIONS} idle connections: ${(taken / 1024).toFixed(1)} MiB more\n`);
    expect(sockets.filter(({ destroyed }) => destroyed)).toEqual([]);
    expect(taken).toBeLessThan(BREATH_KIB + IDLE_CONNECTIONS * KIB_PER_CONNECTION);
    for (const socket of sockets) socket.destroy();
  },
  SOAK ? 300_000 : 60_000,
);

const request = (more: Partial<WireRequest>): WireRequest => ({
  ...{ method: 'POST', target: CREATE_PATH, body: Buffer.from(JSON.stringify(holdOf())) },
  ...more,
  headers: [authorization, ['Content-Type', 'application/json'], ...(more.headers ?? [])],
});
const raw = (text: string) => Buffer.from(text, 'latin1');
const header = (value: string): WireRequest => request({ headers: [['X-Odd', value]] });
const numbered = (count: number): WireRequest =>
  request({ headers: Array.from({ length: count }, (_, index) => [`X-${index}`, 'a'] as const) });

const malformed: [string, () => Buffer, number, string][] = [
  ['a header of 20 KiB', () => bytesOf(header('x'.repeat(20_000))), 431, 'HEADERS_TOO_LARGE'],
  ['101 headers and more', () => bytesOf(numbered(101)), 431, 'HEADERS_TOO_LARGE'],
  ['3000 headers', () => bytesOf(numbered(3_000)), 431, 'HEADERS_TOO_LARGE'],
  [
    'an address of 20 KiB',
    () => bytesOf(request({ target: `/${'x'.repeat(20_000)}` })),
    431,
    'HEADERS_TOO_LARGE',
  ],
  ['no Host', () => raw('GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n'), 400, 'INVALID_REQUEST'],
  ['no HTTP', () => raw('\x16\x03\x01\x02\x00hello\r\n\r\n'), 400, 'INVALID_REQUEST'],
  ['a made-up method', () => raw('STEAL / HTTP/1.1\r\nHost: a\r\n\r\n'), 400, 'INVALID_REQUEST'],
  ['NUL in a header', () => bytesOf(header('a\0b')), 400, 'INVALID_REQUEST'],
  ['a tunnel', () => raw('CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n'), 405, 'METHOD_NOT_ALLOWED'],
  [
    'two framings of one body',
    () =>
      raw(
        `POST ${CREATE_PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      ),
    400,
    'INVALID_REQUEST',
  ],
  [
    'a negative length',
    () => raw(`POST ${CREATE_PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n`),
    400,
    'INVALID_REQUEST',
  ],
  [
    'a chunk whose extension is 20 KiB',
    () =>
      raw(
        `POST /api/v1/channels/stripe/x/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(20_000)}\r\na\r\n0\r\n\r\n`,
      ),
    413,
    'PAYLOAD_TOO_LARGE',
  ],
];

it.each(malformed)('refuses %s in its own words', async (_name, bytes, status, code) => {
  const answer = await exchange(port, bytes());
  expect(answer).toMatchObject({ status, headers: { 'content-type': 'application/json; charset=utf-8' } });
  const json = JSON.parse(answer?.body ?? '{}') as Record<string, unknown>;
  expect(json).toMatchObject({ code, request_id: answer?.headers['x-request-id'] });
});

it('never gives a whole request the answer of the broken one behind it', async () => {
  const good = bytesOf(request({ method: 'GET', body: undefined })).toString('latin1');
  const kept = good.replace('Connection: close\r\n', '');
  const answer = await exchange(port, raw(`${kept}BROKEN\r\n\r\n`));
  // Either the first one's, or the connection ends without a word.
  if (answer !== undefined) expect(answer.status).toBe(200);
});

const deep = (open: string, close: string) => (bytes: number) => {
  const depth = Math.floor(bytes / (open.length + close.length)) - 1;
  return `${open.repeat(depth)}1${close.repeat(depth)}`;
};
const KIB_60 = 60 * 1024;
const bombs: readonly string[] = [
  deep('[', ']')(KIB_60),
  deep('{"a":', '}')(KIB_60),
  `{"amount":${'9'.repeat(KIB_60)}}`,
  `{"amount":1e${'9'.repeat(1_000)}}`,
  `{"metadata":{${Array.from({ length: 4_000 }, (_, index) => `"k${index}":"v"`).join()}}}`,
  `{${Array.from({ length: 3_000 }, (_, index) => `"__proto__":{"p${index}":1}`)
    .join()
    .slice(0, KIB_60 - 200)
    .replace(/,[^,]*$/, '')}}`,
  `{"constructor":{"prototype":{"isAdmin":true}},"__proto__":{"isAdmin":true}}`,
  `[${'{},'.repeat(KIB_60 / 3 - 2)}{}]`,
  `{"description":"${'\\u0000'.repeat(KIB_60 / 6 - 10)}"}`,
];

it(
  'takes no harm from JSON made to harm',
  async () => {
    const before = residentKib();
    const answers: (WireAnswer | undefined)[] = [];
    await whileServed(async () => {
      for (let i = 0; i < BOMBS; i += BOMBS_AT_ONCE) {
        const some = Array.from(
          { length: BOMBS_AT_ONCE },
          (_, index) => bombs[(i + index) % bombs.length] ?? '',
        );
        answers.push(
          ...(await Promise.all(
            some.map((body) => exchange(port, bytesOf(request({ body: Buffer.from(body) })))),
          )),
        );
      }
      await sleep(500);
    });
    const taken = residentKib() - before;
    process.stderr.write(`  ${answers.length} JSON bombs: ${(taken / 1024).toFixed(1)} MiB more\n`);
    expect(new Set(answers.map((answer) => answer?.status))).toEqual(new Set([400]));
    for (const answer of answers) expect(answer?.body.length).toBeLessThan(6_000);
    expect(taken).toBeLessThan(BREATH_KIB);
  },
  SOAK ? 300_000 : 60_000,
);
