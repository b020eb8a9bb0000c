/** SIGTERM under load: what was accepted is answered, what is new is refused, and the process ends in time. */
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, SOAK, startSystem, urlOf } from '../e2e/harness';
import type { System } from '../e2e/harness';
import { CREATE_PATH, holdOf } from '../e2e/merchant-client';
import type { Server } from '../../dev/stack/processes';

const CLIENTS = SOAK ? 100 : 30;
const ROUNDS = SOAK ? 5 : 2;
const IDLE = 10;
const CHANNEL_LATENCY_MS = 400;
/** The backlog of a busy process is accepted first. */
const REFUSES_WITHIN_MS = 3_000;
/** The slowest request, what is idle, and the process's own end. */
const ENDS_WITHIN_MS = 10_000;

let system: System;

beforeAll(async () => {
  system = await startSystem({ environment: { RATE_LIMIT_MULTIPLIER: '1000' } });
  await system.sandbox.config({ latencyMs: CHANNEL_LATENCY_MS });
}, 120_000);
afterAll(() => system?.stop());

interface Ending {
  readonly answers: number[];
  /** How the client's last request ended: nothing but a refused connection may. */
  readonly end: string;
}

function ask(agent: Agent, port: number, body?: object): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = {
      ...{ agent, port, host: '127.0.0.1', method: body === undefined ? 'GET' : 'POST', path: CREATE_PATH },
      headers: {
        authorization: `Bearer ${system.merchant.apiKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
    };
    const asking = request(options, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 0));
      answer.once('error', reject);
    });
    asking.once('error', reject);
    asking.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** One connection, one request after the other, until there is no process any more. */
async function insist(port: number, index: number, answered: Set<number>): Promise<Ending> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const answers: number[] = [];
  for (;;) {
    try {
      answers.push(await ask(agent, port, index % 2 === 0 ? holdOf() : undefined));
      answered.add(index);
    } catch (error) {
      return { answers, end: (error as { code?: string }).code ?? String(error) };
    }
  }
}

/** A connection that has had one answer and waits. @returns how it ended */
function idle(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'));
    socket.on('error', (error) => resolve(error.message));
    socket.on('end', () => resolve('ended'));
    socket.resume();
  });
}

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error) => resolve((error as { code?: string }).code === 'ECONNREFUSED'));
  });
}

async function endUnderLoad(api: Server): Promise<number> {
  const { port } = api.address;
  const idling = Array.from({ length: IDLE }, () => idle(port));
  const before = await holdsMade();
  const answered = new Set<number>();
  const clients = Array.from({ length: CLIENTS }, (_, index) => insist(port, index, answered));
  await eventually(
    'every connection has been accepted',
    () => answered.size,
    (count) => count === CLIENTS,
  );
  await sleep(Math.random() * 500);
  const startedAt = Date.now();
  process.kill(api.pid() ?? 0, 'SIGTERM');
  await eventually(
    'new connections are refused',
    () => isRefused(port),
    (refused) => refused,
    REFUSES_WITHIN_MS,
  );
  expect(api.pid()).toBeDefined(); // it is still at work on what it has accepted
  const endings = await Promise.all(clients);
  expect(await Promise.all(idling)).toEqual(idling.map(() => 'ended'));
  await eventually(
    'the process has ended',
    () => api.pid(),
    (pid) => pid === undefined,
    ENDS_WITHIN_MS,
  );
  const tookMs = Date.now() - startedAt;
  expect(endings.map(({ end }) => end)).toEqual(endings.map(() => 'ECONNREFUSED'));
  const answers = endings.flatMap((ending) => ending.answers);
  // 202: the channel was slow, the hold is accepted.
  expect(answers.filter((status) => ![200, 201, 202].includes(status))).toEqual([]);
  expect((await holdsMade()) - before).toBe(answers.filter((status) => status > 200).length);
  process.stderr.write(
    `  SIGTERM: ${answers.length} answers, the last after it; ended within ${tookMs} ms\n`,
  );
  return answers.length;
}

async function holdsMade(): Promise<number> {
  const [row] = await system.rows<{ count: number }>('SELECT count(*) FROM pre_auths');
  return row?.count ?? 0;
}

it(
  'answers every request it has accepted',
  async () => {
    const [api] = system.apis;
    if (api === undefined) throw new Error('there is no API');
    for (let i = 0; i < ROUNDS; i += 1) {
      expect(await endUnderLoad(api)).toBeGreaterThan(CLIENTS);
      await api.restart();
    }
    expect(system.logs('api').match(/API stopped/g)).toHaveLength(ROUNDS);
    expect(urlOf(api)).toBe(system.apiUrl);
  },
  60_000 * ROUNDS,
);
