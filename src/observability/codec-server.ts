/**
 * Reads and writes encrypted payloads for operators: the Temporal Web UI posts to /decode what it shows and to /encode what
 * it sends, and so does the `temporal` command. The wire is theirs: `{payloads: [{metadata, data}]}`, bytes as base64.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { z } from 'zod';
import type { CodecSettings } from '../config/payload-settings';
import type { Logger } from './logger';
import { keyIdOf } from './payload-codec';

/** Temporal's largest message, 4 MiB, as base64. */
const MAX_BODY_BYTES = 6 * 1024 * 1024;
const MAX_PAYLOADS = 10_000;
const MAX_CONNECTIONS = 200;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 15_000;
const PREFLIGHT_SECONDS = 600;
/** What the Web UI sends; the last carries the identity token where it logs people in itself. */
const ALLOWED_HEADERS = 'content-type, x-namespace, authorization, authorization-extras';

const PayloadMessage = temporal.api.common.v1.Payload;
/** A class of characters and no groups: texts are megabytes long. */
const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/);
const payloadSchema = z.looseObject({
  metadata: z.record(z.string(), base64).nullish(),
  data: base64.nullish(),
});
const bodySchema = z.looseObject({ payloads: z.array(payloadSchema).max(MAX_PAYLOADS).nullish() });
type JsonPayload = z.infer<typeof payloadSchema>;

export interface CodecServerDeps {
  readonly codec: PayloadCodec;
  readonly settings: Pick<CodecSettings, 'CODEC_TOKENS' | 'CODEC_ORIGINS' | 'CODEC_TOKEN_IN_PATH'>;
  readonly log: Logger;
}

/** What a request is answered with when it is not what was asked for. */
class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Not listening yet. */
export function createCodecServer(deps: CodecServerDeps): Server {
  const { CODEC_TOKENS, CODEC_ORIGINS } = deps.settings;
  if (CODEC_TOKENS === '')
    throw new Error('CODEC_TOKENS names no token: the codec server would serve nobody');
  const nameOf = createTokenCheck(CODEC_TOKENS);
  const server = createServer((request, response) => {
    serve(deps, nameOf, request, response).catch((error: unknown) => {
      if (error instanceof Refused) {
        if (error.status === 413) response.setHeader('Connection', 'close');
        answer(response, error.status, { code: error.code, message: error.message });
      } else if (!response.headersSent) {
        // Either the client has gone, or it is our mistake.
        if (request.complete) deps.log.error({ err: error }, 'the codec server failed');
        answer(response, 500, { code: 'INTERNAL_ERROR', message: 'Something went wrong here.' });
      }
    });
  });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  if (CODEC_ORIGINS.length === 0) deps.log.warn('CODEC_ORIGINS is empty: no Web UI can ask the codec server');
  return server;
}

async function serve(
  deps: CodecServerDeps,
  nameOf: (token: string) => string | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // An address can hold a token, and a base would only be made up: the part before the question mark is enough.
  const parts =
    (request.url ?? '')
      .split('?')[0]
      ?.split('/')
      .filter((part) => part !== '') ?? [];
  if (request.method === 'GET' && ['healthz', 'readyz'].includes(parts.join('/'))) {
    return answer(response, 200, { ready: true });
  }
  allowOrigin(request, response, deps.settings.CODEC_ORIGINS);
  const pathToken = deps.settings.CODEC_TOKEN_IN_PATH && parts.length === 2 ? parts.shift() : undefined;
  const [action, ...rest] = parts;
  if ((action !== 'encode' && action !== 'decode') || rest.length > 0) {
    throw new Refused(404, 'NOT_FOUND', 'There are /encode, /decode and /healthz.');
  }
  if (request.method === 'OPTIONS') return void response.writeHead(204).end();
  if (request.method !== 'POST') {
    response.setHeader('Allow', 'POST, OPTIONS');
    throw new Refused(405, 'METHOD_NOT_ALLOWED', 'Payloads are posted.');
  }
  const token = /^Bearer +(\S{1,200})$/i.exec(request.headers.authorization ?? '')?.[1] ?? pathToken;
  const name = token === undefined ? undefined : nameOf(token);
  if (name === undefined) {
    response.setHeader('WWW-Authenticate', 'Bearer');
    throw new Refused(401, 'UNAUTHORIZED', 'A bearer token of CODEC_TOKENS is needed.');
  }
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new Refused(415, 'UNSUPPORTED_MEDIA_TYPE', 'Payloads come as application/json.');
  }
  const payloads = payloadsOf(await bodyOf(request));
  const result = action === 'encode' ? await encoded(deps.codec, payloads) : await decoded(deps, payloads);
  deps.log.info({ action, token: name, payloads: payloads.length }, 'payloads were asked for');
  answer(response, 200, { payloads: result });
}

/** @returns whose token it is; every known one is compared, and in the same time */
function createTokenCheck(ring: string): (token: string) => string | undefined {
  const known = ring.split(',').map((entry) => {
    const [name = '', token = ''] = entry.split(':');
    return { name, digest: digestOf(token) };
  });
  return (token) => {
    const digest = digestOf(token);
    return known.filter((one) => timingSafeEqual(one.digest, digest))[0]?.name;
  };
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/**
 * A browser names the page that asks. A page that is not ours gets nothing, whatever it brings along; without a page, as
 * with the `temporal` command, the token alone decides.
 */
function allowOrigin(request: IncomingMessage, response: ServerResponse, origins: readonly string[]): void {
  response.setHeader('Vary', 'Origin');
  const { origin } = request.headers;
  if (origin === undefined) return;
  if (!origins.includes(origin)) {
    throw new Refused(403, 'ORIGIN_NOT_ALLOWED', 'Pages of this origin are not in CODEC_ORIGINS.');
  }
  response.setHeader('Access-Control-Allow-Origin', origin);
  // For a proxy in front that knows people by a cookie, and a Web UI told to send it.
  response.setHeader('Access-Control-Allow-Credentials', 'true');
  if (request.method !== 'OPTIONS') return;
  response.setHeader('Access-Control-Allow-Methods', 'POST, OPTIONS');
  response.setHeader('Access-Control-Allow-Headers', ALLOWED_HEADERS);
  response.setHeader('Access-Control-Max-Age', String(PREFLIGHT_SECONDS));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = new Refused(413, 'PAYLOAD_TOO_LARGE', `A request has at most ${MAX_BODY_BYTES} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge;
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Who sends too much is told so, on the same connection.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw tooLarge;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function payloadsOf(body: Buffer): readonly JsonPayload[] {
  try {
    return bodySchema.parse(JSON.parse(body.toString('utf8'))).payloads ?? [];
  } catch {
    const shape = 'expected {"payloads": [{"metadata": {...}, "data": "..."}]} with bytes as base64';
    throw new Refused(400, 'INVALID_REQUEST', `${shape}, at most ${MAX_PAYLOADS} of them.`);
  }
}

const bytesOf = (text: string): Buffer => Buffer.from(text, 'base64');

function fromJson({ metadata, data }: JsonPayload): Payload {
  const entries = Object.entries(metadata ?? {}).map(([name, text]) => [name, bytesOf(text)] as const);
  return { metadata: Object.fromEntries(entries), data: bytesOf(data ?? '') };
}

const toJson = (payload: Payload): object => PayloadMessage.fromObject(payload).toJSON();

async function encoded(codec: PayloadCodec, payloads: readonly JsonPayload[]): Promise<object[]> {
  return (await codec.encode(payloads.map(fromJson))).map(toJson);
}

/** One by one: a payload that cannot be opened stays as it is, so that it hides no other of the same page. */
function decoded({ codec, log }: CodecServerDeps, payloads: readonly JsonPayload[]): Promise<object[]> {
  return Promise.all(
    payloads.map(async (json) => {
      const payload = fromJson(json);
      const keyId = keyIdOf(payload);
      if (keyId === undefined) return json;
      try {
        return (await codec.decode([payload])).map(toJson)[0] ?? json;
      } catch (error) {
        log.warn({ err: error, keyId }, 'a payload could not be opened and was given back as it is');
        return json;
      }
    }),
  );
}

function answer(response: ServerResponse, status: number, body: object): void {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' };
  response.writeHead(status, { ...headers, 'x-content-type-options': 'nosniff' }).end(JSON.stringify(body));
}
