/**
 * What one client may take of the process before its request is understood: time, bytes, headers, connections; and how the
 * process lets go of all of them when it ends. Every refusal has the API's envelope.
 */
import { randomUUID } from 'node:crypto';
import { createServer, STATUS_CODES } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerOptions, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { refuse } from '../domain/errors';
import type { Refusal } from '../domain/errors';
import { localized } from '../domain/messages/localize';
import { HTTP_STATUS } from './errors';
import { languageOf } from './language';
import type { AdmitConnection } from './limits/connection-limit';

/** From the connection, or the end of the answer before, to the end of the headers. */
const HEADERS_TIMEOUT_MS = 10_000;
/** The same to the end of the body. */
const REQUEST_TIMEOUT_MS = 30_000;
const TIMEOUTS_CHECKED_EVERY_MS = 1_000;
/** Longer than load balancers keep theirs, so that it is they who close. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_HEADERS = 100;
/** An idle one takes some kilobytes; what comes beyond them is closed at once. */
const MAX_CONNECTIONS = 15_000;
/** How long the last words of a refusal may take to be read. */
const LAST_WORDS_MS = 1_000;
/** How long new connections are accepted still when the process ends. */
const BACKLOG_LIMIT_MS = 1_000;
/** How long a connection that is being let go of may be idle: a request that is on its way to us is answered still. */
const IDLE_GRACE_MS = 300;
const IDLE_CHECKED_EVERY_MS = 100;

export interface ApiServer {
  readonly http: Server;
  /**
   * Takes no new connection, answers every request that has arrived, closes what is idle, and cuts what has not ended after
   * `limitMs`. @returns when no connection is left
   */
  drain(limitMs: number): Promise<void>;
}

/** The answers that each connection is owed. */
type Connections = Map<Socket, Set<ServerResponse>>;

/**
 * The server of the API, not listening yet.
 * @param messages what its requests and responses are made of, where not of Node's own
 * @param admits asked of each connection, besides the limit of all; one that is not admitted is closed without a word, which
 * costs least
 */
export function createApiServer(
  app: RequestListener,
  messages: ServerOptions = {},
  admits: AdmitConnection = () => true,
): ApiServer {
  const connections: Connections = new Map();
  let isDraining = false;
  let accepted = 0;
  const handle: RequestListener = (req, res) => {
    const open = connections.get(req.socket);
    open?.add(res);
    res.once('close', () => open?.delete(res));
    if (isDraining) res.setHeader('Connection', 'close');
    // Answers have no tag: a condition on one would have express answer 304 to "any", without a body.
    if (req.headers['if-none-match'] === '*') delete req.headers['if-none-match'];
    const refusal = refusalOf(req);
    if (refusal === undefined) app(req, res);
    else answer(req, res, refusal);
  };
  const options = {
    ...messages,
    connectionsCheckingInterval: TIMEOUTS_CHECKED_EVERY_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    // A request without Host is refused below, with a body.
    requireHostHeader: false,
  };
  const http = createServer(options, handle);
  http.headersTimeout = HEADERS_TIMEOUT_MS;
  http.requestTimeout = REQUEST_TIMEOUT_MS;
  http.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
  // Node would leave out what is beyond its own limit, without a word: the bytes are limited, and `refusalOf` counts.
  http.maxHeadersCount = 0;
  http.maxConnections = MAX_CONNECTIONS;
  http.on('connection', (socket) => {
    accepted += 1;
    if (!admits(socket)) return void socket.destroy();
    connections.set(socket, new Set());
    socket.once('close', () => letGo(connections, socket));
  });
  http.on('checkExpectation', handle);
  http.on('connect', (req, socket) => lastWords(socket, refuse('METHOD_NOT_ALLOWED'), req));
  http.on('clientError', (error, socket) => refuseBrokenRequest(error, socket, connections));
  const drain = async (limitMs: number): Promise<void> => {
    await backlogAccepted(() => accepted);
    isDraining = true;
    for (const open of connections.values())
      for (const res of open) if (!res.headersSent) res.setHeader('Connection', 'close');
    await drained(http, connections, limitMs);
  };
  return { http, drain };
}

/** Connections that the kernel has made and nobody has looked at: one is accepted in a turn of the loop, and a closed socket cuts them. */
async function backlogAccepted(accepted: () => number): Promise<void> {
  const endMs = Date.now() + BACKLOG_LIMIT_MS;
  await nextTurn();
  for (let before = -1; before !== accepted() && Date.now() < endMs;) {
    before = accepted();
    await nextTurn();
  }
}

/**
 * A connection is gone. Node says so to the answer that it was sending; those that waited for their turn behind it, because
 * the client did not wait for them, would never hear of it, and never give back what they hold.
 */
function letGo(connections: Connections, socket: Socket): void {
  const open = connections.get(socket) ?? [];
  connections.delete(socket);
  for (const res of open) if (res.socket === null) res.emit('close');
}

async function drained(http: Server, connections: Connections, limitMs: number): Promise<void> {
  // http's own close() would cut idle connections at once, and with them the requests that are on their way.
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(http, () => resolve()));
  const cutIdle = (): void => {
    for (const [socket, open] of connections) if (open.size === 0) socket.destroySoon();
  };
  // After the sockets have been read: a timer that is late comes before them.
  const cutIdleSoon = (): void => void setImmediate(cutIdle);
  let timer = setTimeout(() => {
    cutIdleSoon();
    timer = setInterval(cutIdleSoon, IDLE_CHECKED_EVERY_MS);
  }, IDLE_GRACE_MS);
  const cutAll = setTimeout(() => connections.forEach((_, socket) => socket.destroy()), limitMs);
  await closed;
  clearTimeout(timer);
  clearTimeout(cutAll);
  http.close(); // ends its timer
}

/** What HTTP's own rules and our limits say of a request before anybody looks for its route. */
function refusalOf(req: IncomingMessage): Refusal | undefined {
  if (req.rawHeaders.length > 2 * MAX_HEADERS) return refuse('HEADERS_TOO_LARGE');
  if (req.headers.host === undefined && req.httpVersion === '1.1') {
    return refuse('INVALID_REQUEST', undefined, 'The request has no Host header.');
  }
  // A whole URL that is none: Express would answer it by itself, with a page.
  if (req.url?.startsWith('/') === false && req.url !== '*' && !URL.canParse(req.url)) {
    return refuse('INVALID_REQUEST', undefined, 'The address is not valid.');
  }
  return undefined;
}

/** A request that did not become one: too slow, too large, or no HTTP. */
function refuseBrokenRequest(error: Error, socket: Duplex, connections: Connections): void {
  const code = (error as { code?: unknown }).code;
  const refusal = typeof code === 'string' ? brokenRequest(code) : undefined;
  const open = [...(connections.get(socket as Socket) ?? [])];
  // An answer that is owed for an earlier, whole request, or has begun, must not be mixed with this one.
  const isOwed = open.some(({ req, headersSent }) => req.complete || headersSent);
  if (refusal === undefined || isOwed || !socket.writable) socket.destroy();
  // Its headers have been understood where its body is what is wrong.
  else lastWords(socket, refusal, open.at(-1)?.req);
}

function brokenRequest(code: string): Refusal | undefined {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return refuse('REQUEST_TIMEOUT');
  if (code === 'HPE_HEADER_OVERFLOW') return refuse('HEADERS_TOO_LARGE');
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return refuse('PAYLOAD_TOO_LARGE');
  return code.startsWith('HPE_')
    ? refuse('INVALID_REQUEST', undefined, 'The bytes sent are no HTTP/1.1 request.')
    : undefined;
}

/** @param req undefined where nothing is known of what the client prefers */
function partsOf(refusal: Refusal, req: IncomingMessage | undefined) {
  const requestId = randomUUID();
  const language = req === undefined ? 'en' : languageOf(req);
  const body = JSON.stringify(localized({ ...refusal, request_id: requestId }, language));
  const headers = {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Language': language,
    Vary: 'Accept-Language',
    'Content-Length': String(Buffer.byteLength(body)),
    'X-Request-Id': requestId,
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
    Connection: 'close',
  };
  return { status: HTTP_STATUS[refusal.code], headers, body };
}

function answer(req: IncomingMessage, res: ServerResponse, refusal: Refusal): void {
  const { status, headers, body } = partsOf(refusal, req);
  res.writeHead(status, headers).end(body);
}

const told = new WeakSet<Duplex>();

/** Answers where there is no response to answer with, and closes the connection. */
function lastWords(socket: Duplex, refusal: Refusal, req?: IncomingMessage): void {
  if (told.has(socket)) return;
  told.add(socket);
  const { status, headers, body } = partsOf(refusal, req);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
  // Who goes on sending is not listened to for ever.
  setTimeout(() => socket.destroy(), LAST_WORDS_MS).unref();
}
