/** The frame of a sandbox's HTTP server: one body read, one answer written, everything closed at the end. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export type JsonObject = { [key: string]: unknown };

export interface ServerOptions {
  /** 0: any free port. */
  readonly port?: number;
  readonly host?: string;
  /** Where the state is kept; empty: in memory. */
  readonly dataDir?: string;
}

/** One request, its body read. */
export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: http.IncomingHttpHeaders;
  /** undefined: too large. */
  readonly text: string | undefined;
}

/** `body` undefined: none. */
export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

export interface RawReply {
  readonly status: number;
  readonly headers: http.OutgoingHttpHeaders;
  readonly text: string | undefined;
}

/** What becomes of a request: an answer, no answer ever, or a connection that is reset. */
export type Fate = Reply | RawReply | 'never' | 'reset';

export interface Server {
  /** Base URL, without a slash at the end. */
  readonly url: string;
  /** Breaks off what is under way. */
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 1024 * 1024;

export async function serve(
  { port = 0, host = '127.0.0.1' }: ServerOptions,
  answer: (asked: Asked) => Fate | Promise<Fate>,
): Promise<Server> {
  const server = http.createServer((request, response) => {
    handle(request, response, answer).catch((error: unknown) => {
      // A caller that went away while it was still sending is its own business.
      if (request.complete) console.error('the sandbox failed', error);
      response.destroy();
    });
  });
  // Longer than clients keep idle connections, so that a reset is always one that was asked for.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function handle(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  answer: (asked: Asked) => Fate | Promise<Fate>,
): Promise<void> {
  const text = await readBody(request);
  const url = new URL(request.url ?? '/', 'http://sandbox');
  const fate = await answer({ method: request.method ?? 'GET', url, headers: request.headers, text });
  if (fate === 'never') return;
  if (fate === 'reset') return void request.socket.resetAndDestroy();
  if ('text' in fate) return void response.writeHead(fate.status, fate.headers).end(fate.text);
  if (fate.body === undefined) return void response.writeHead(fate.status).end();
  response.writeHead(fate.status, { 'content-type': 'application/json' }).end(JSON.stringify(fate.body));
}

/** Read to its end even when it is too large, so that the answer is heard. */
function readBody(request: http.IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) chunks.push(chunk);
    });
    request.once('end', () =>
      resolve(size > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks).toString('utf8')),
    );
    request.once('error', reject);
    request.once('close', () => {
      if (!request.complete) reject(new Error('the caller went away'));
    });
  });
}

/** @returns undefined when it is no JSON object; nothing at all is an empty one */
export function parseObject(text: string): JsonObject | undefined {
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** A sandbox as a process of its own, until it is told to end. */
export function run(name: string, starting: Promise<{ readonly url: string; stop(): Promise<void> }>): void {
  starting.then(
    (sandbox) => {
      console.log(`${name} sandbox at ${sandbox.url}`);
      const stop = () => void sandbox.stop().then(() => process.exit(0));
      process.once('SIGINT', stop);
      process.once('SIGTERM', stop);
    },
    (error: unknown) => {
      console.error(
        `The ${name} sandbox cannot start: ${error instanceof Error ? error.message : String(error)}`,
      );
      process.exitCode = 1;
    },
  );
}
