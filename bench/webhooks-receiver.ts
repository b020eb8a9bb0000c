/** The merchant's side of the webhook benches: a plain HTTP server that counts what it gets and notes when it came. */
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { preciseNowMs, serve } from './webhooks-child';

/** `fail_first`: 500 to the first attempt at each notification. */
export type Behaviour = 'ok' | 'fail' | 'fail_first' | 'hang';

export interface Reached {
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

const behaviours = new Map<string, Behaviour>();
const hanging = new Set<ServerResponse>();
/** First arrival of each `webhook-id` that was answered with 200; a Map keeps the order. */
const arrivals = new Map<string, number>();
let lastAtMs = NaN;
let repeats = 0;
let wanted: { readonly count: number; readonly resolve: () => void } | undefined;

function note(id: string, atMs: number): void {
  if (arrivals.has(id)) repeats += 1;
  else arrivals.set(id, (lastAtMs = atMs));
  if (wanted !== undefined && arrivals.size >= wanted.count) wanted.resolve();
}

const server = createServer((request, response) => {
  const atMs = preciseNowMs();
  const behaviour = behaviours.get(request.url ?? '') ?? 'ok';
  request.resume();
  request.once('end', () => {
    if (behaviour === 'hang') {
      hanging.add(response);
      response.once('close', () => hanging.delete(response));
      return;
    }
    const isFirst = request.headers['x-webhook-attempt'] === '1';
    if (behaviour === 'fail' || (behaviour === 'fail_first' && isFirst)) {
      response.writeHead(500).end();
      return;
    }
    response.writeHead(200).end('ok');
    note(String(request.headers['webhook-id']), atMs);
  });
});

const calls = {
  /** @returns the port */
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  },
  /** From now on; requests that hang are dropped. */
  behave(path: string, behaviour: Behaviour): void {
    behaviours.set(path, behaviour);
    for (const response of hanging) response.destroy();
  },
  reset(): void {
    arrivals.clear();
    lastAtMs = NaN;
    repeats = 0;
  },
  count: (): number => arrivals.size,
  repeats: (): number => repeats,
  /** Resolves when so many different notifications have arrived since the last reset. */
  async reached(count: number): Promise<Reached> {
    if (arrivals.size < count) {
      await new Promise<void>((resolve) => (wanted = { count, resolve }));
      wanted = undefined;
    }
    const [firstAtMs = NaN] = arrivals.values();
    return { firstAtMs, lastAtMs };
  },
  /** When each notification came first, in Unix milliseconds. */
  arrivals: (): ReadonlyMap<string, number> => arrivals,
};
export type ReceiverCalls = typeof calls;

serve(calls);
