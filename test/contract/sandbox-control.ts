/** Short words for the sandbox's control addresses, for tests. */
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Books } from '../../dev/stripe-sandbox/books';
import type { CallIdentity } from '../../src/domain/channel';

export interface SandboxControl {
  post(path: string, body?: object): Promise<Record<string, unknown>>;
  books(holdfastId?: string): Promise<Books>;
  fault(operation: string, fault: string, more?: object): Promise<unknown>;
}

export function sandboxControl(url: string): SandboxControl {
  const post = async (path: string, body: object = {}) => {
    const response = await fetch(`${url}/_sandbox/${path}`, { method: 'POST', body: JSON.stringify(body) });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  };
  return {
    post,
    books: async (holdfastId) => {
      const query = holdfastId === undefined ? '' : `?holdfast_id=${encodeURIComponent(holdfastId)}`;
      return (await (await fetch(`${url}/_sandbox/books${query}`)).json()) as Books;
    },
    fault: (operation, fault, more = {}) => post('faults', { match: { operation }, fault, ...more }),
  };
}

/** The identities of one new hold's calls. */
export function newHold(): (name: string) => CallIdentity {
  const holdfastId = `pre-auth/test/${randomUUID()}`;
  return (name) => ({ idempotencyKey: `${holdfastId}/${name}`, holdfastId, holdfastCall: name });
}

export interface Received {
  readonly body: string;
  readonly signature: string;
  readonly type: string;
  readonly id: string;
}

const open = new Set<http.Server>();

/** For afterEach: a test that fails half-way must not leave a server behind, which would keep jest from ending. */
export async function closeReceivers(): Promise<void> {
  await Promise.all([...open].map((server) => closeServer(server)));
}

async function closeServer(server: http.Server): Promise<void> {
  if (!open.delete(server)) return;
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

/** A webhook receiver that can be told what to answer; closed by closeReceivers. */
export async function startReceiver(answers: number[] = []) {
  const received: Received[] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const { type, id } = JSON.parse(body) as { type: string; id: string };
      received.push({ body, type, id, signature: String(request.headers['stripe-signature']) });
      response.writeHead(answers.shift() ?? 200).end();
    });
  });
  open.add(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
    received,
    types: () => received.map(({ type }) => type),
  };
}

const POLL_MS = 20;

/** Waits until the condition holds; fails with its last value after `limitMs`. */
export async function until<T>(
  read: () => T | Promise<T>,
  isDone: (value: T) => boolean,
  limitMs = 5_000,
): Promise<T> {
  const endMs = Date.now() + limitMs;
  for (;;) {
    const value = await read();
    if (isDone(value)) return value;
    if (Date.now() > endMs) throw new Error(`still ${JSON.stringify(value)} after ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
