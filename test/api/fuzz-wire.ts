/** One request as bytes and its answer, with no client in between that would mend, refuse or repeat anything. */
import { connect } from 'node:net';

export interface WireRequest {
  readonly method: string;
  /** As it stands in the request line: one character is one byte. */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Buffer | undefined;
}

export interface WireAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The request with its framing: Host, the length of the body, and one answer for the connection. */
export function bytesOf({ method, target, headers, body }: WireRequest): Buffer {
  const framing: [string, string][] = [
    ['Host', 'fuzz'],
    ['Connection', 'close'],
  ];
  if (body !== undefined) framing.push(['Content-Length', String(body.length)]);
  const lines = [...framing, ...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  return Buffer.concat([head, body ?? Buffer.alloc(0)]);
}

/** @returns undefined when the connection ended without an answer. @throws Error after `timeoutMs` */
export function exchange(port: number, request: Buffer, timeoutMs = 40_000): Promise<WireAnswer | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(request));
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    socket.on('data', (part) => parts.push(part));
    // The server may close before it has read everything: what it said before counts.
    socket.on('error', (error) => ('code' in error ? undefined : reject(error)));
    socket.on('close', () => resolve(answerOf(Buffer.concat(parts))));
  });
}

const INTERIM = Buffer.from('HTTP/1.1 1');

function answerOf(bytes: Buffer): WireAnswer | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  if (bytes.subarray(0, INTERIM.length).equals(INTERIM)) return answerOf(bytes.subarray(end + 4));
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
    }),
  );
  if (headers['transfer-encoding'] !== undefined) throw new Error('an answer in chunks is not read here');
  const body = bytes.subarray(end + 4).toString('utf8');
  return { status: Number(first.split(' ')[1]), headers, body };
}
