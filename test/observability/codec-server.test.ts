/** The codec server over HTTP, as the Temporal Web UI and the temporal command ask it. */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { z } from 'zod';
import { codecSettings } from '../../src/config/payload-settings';
import { createCodecServer } from '../../src/observability/codec-server';
import { createLogger } from '../../src/observability/logger';
import { createPayloadCodec } from '../../src/observability/payload-codec';

const keyOf = (id: string, fill: number) => `${id}:${Buffer.alloc(32, fill).toString('base64')}`;
const UI = 'https://temporal.example.com';
const TOKEN = 'token-of-the-web-ui-0123456789';
const OTHER = 'token-of-the-command-0123456789';
const base64 = (text: string) => Buffer.from(text).toString('base64');
const PLAIN = { metadata: { encoding: base64('json/plain') }, data: base64('{"reason":"guest asked"}') };
const MIB = 1024 * 1024;

interface JsonPayload {
  readonly metadata: Readonly<Record<string, string>>;
  readonly data?: string;
}

const servers: Server[] = [];
afterAll(() => servers.forEach((server) => server.close().closeAllConnections()));

async function start(environment: object = {}, ring = keyOf('k1', 1)): Promise<string> {
  const tokens = `ui:${TOKEN},cli:${OTHER}`;
  const settings = z
    .object(codecSettings)
    .parse({ CODEC_TOKENS: tokens, CODEC_ORIGINS: `${UI}, http://127.0.0.1:40833`, ...environment });
  const log = createLogger('test', 'silent');
  const server = createCodecServer({ codec: createPayloadCodec(ring, true), settings, log });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

let url: string;
beforeAll(async () => {
  url = await start();
});

const HEADERS = {
  'content-type': 'application/json',
  'x-namespace': 'default',
  authorization: `Bearer ${TOKEN}`,
};

async function post(path: string, body: unknown, headers: object = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { ...HEADERS, ...headers },
    body: text,
  });
  const answer = (await response.json()) as { payloads?: JsonPayload[]; code?: string };
  return {
    status: response.status,
    headers: response.headers,
    payloads: answer.payloads ?? [],
    code: answer.code,
  };
}

test('encodes what the Web UI sends and decodes what it shows', async () => {
  const sealed = await post('/encode?preserveStorageRefs=true', { payloads: [PLAIN] }, { origin: UI });
  expect(sealed.status).toBe(200);
  expect(sealed.payloads[0]?.metadata['encoding']).toBe(base64('binary/encrypted'));
  expect(sealed.payloads[0]?.metadata['encryption-key-id']).toBe(base64('k1'));
  expect(JSON.stringify(sealed.payloads)).not.toContain(PLAIN.data);
  const back = await post('/decode?preserveStorageRefs=true', { payloads: sealed.payloads }, { origin: UI });
  expect(back.payloads).toEqual([PLAIN]);
  expect(back.headers.get('access-control-allow-origin')).toBe(UI);
});

test('decodes page by page: what is not sealed, or cannot be opened, stays as it came', async () => {
  const [sealed] = (await post('/encode', { payloads: [PLAIN] })).payloads;
  const foreign = { ...PLAIN, externalPayloads: [{ sizeBytes: '12' }] };
  const lost = { ...sealed, metadata: { ...sealed?.metadata, 'encryption-key-id': base64('k0') } };
  const damaged = { ...sealed, data: base64('short') };
  const empty = { metadata: { encoding: base64('binary/null') } };
  const asked = [foreign, lost, sealed, damaged, empty];
  expect((await post('/decode', { payloads: asked })).payloads).toEqual([
    foreign,
    lost,
    PLAIN,
    damaged,
    empty,
  ]);
  const nothing = await post('/encode', { payloads: [empty] });
  expect((await post('/decode', { payloads: nothing.payloads })).payloads).toEqual([empty]);
  expect(await post('/decode', {})).toMatchObject({ status: 200, payloads: [] });
});

test('takes a payload of 4 MiB and refuses more than a message can have', async () => {
  const large = { ...PLAIN, data: Buffer.alloc(4 * MIB, 7).toString('base64') };
  const sealed = await post('/encode', { payloads: [large] });
  expect(sealed.status).toBe(200);
  expect((await post('/decode', { payloads: sealed.payloads })).payloads).toEqual([large]);
  expect(await post('/decode', 'x'.repeat(6 * MIB + 1))).toMatchObject({
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
  });
  expect(await postChunks(7)).toBe(413);
  const many = { payloads: Array.from({ length: 10_001 }, () => ({})) };
  expect(await post('/decode', many)).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
});

/** Without a length named beforehand. @returns the status */
function postChunks(mebibytes: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest(`${url}/decode`, { method: 'POST', headers: HEADERS }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on('error', reject);
    for (let i = 0; i < mebibytes; i += 1) asked.write('x'.repeat(MIB));
  });
}

describe('who may ask', () => {
  const wrong = ['', 'Bearer', `Bearer ${TOKEN}x`, `Basic ${TOKEN}`, `Bearer ${TOKEN} ${TOKEN}`, TOKEN];

  test.each(wrong)('not %p', async (authorization) => {
    const answer = await post('/decode', { payloads: [PLAIN] }, { authorization, origin: UI });
    expect(answer).toMatchObject({ status: 401, code: 'UNAUTHORIZED', payloads: [] });
    // Else the Web UI could not say why.
    expect(answer.headers.get('access-control-allow-origin')).toBe(UI);
  });

  test('any of the tokens, and not in the path', async () => {
    const payloads = [PLAIN];
    expect(await post('/decode', { payloads }, { authorization: `bearer ${OTHER}` })).toMatchObject({
      status: 200,
    });
    expect(await post(`/${TOKEN}/decode`, { payloads })).toMatchObject({ status: 404 });
  });

  test('a Web UI without a place for a token has it in the path, where that is allowed', async () => {
    const before = url;
    url = await start({ CODEC_TOKEN_IN_PATH: 'true' });
    try {
      const none = { authorization: '', origin: UI };
      // Web UIs differ in how many slashes they make of an address that ends with one.
      for (const path of [`/${TOKEN}/decode`, `/${TOKEN}//decode?x=1`])
        expect(await post(path, { payloads: [PLAIN] }, none)).toMatchObject({
          status: 200,
          payloads: [PLAIN],
        });
      for (const path of [`/${TOKEN}x/decode`, '/decode', '//decode'])
        expect(await post(path, { payloads: [PLAIN] }, none)).toMatchObject({ status: 401 });
      expect(await post(`/${TOKEN}/x/decode`, { payloads: [PLAIN] }, none)).toMatchObject({ status: 404 });
    } finally {
      url = before;
    }
  });

  test('without a token nobody is served, so the server does not start', async () => {
    await expect(start({ CODEC_TOKENS: '' })).rejects.toThrow('CODEC_TOKENS');
  });
});

describe('which pages may ask', () => {
  const preflight = (origin: string, path = '/decode') =>
    fetch(url + path, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    });

  test('the preflight of the Web UI is granted, with all that it sends', async () => {
    const { status, headers } = await preflight(UI);
    expect(status).toBe(204);
    expect(headers.get('access-control-allow-origin')).toBe(UI);
    expect(headers.get('access-control-allow-credentials')).toBe('true');
    expect(headers.get('access-control-allow-methods')).toContain('POST');
    for (const name of ['content-type', 'x-namespace', 'authorization', 'authorization-extras'])
      expect(headers.get('access-control-allow-headers')?.split(', ')).toContain(name);
    expect(headers.get('vary')).toBe('Origin');
    expect((await preflight('http://127.0.0.1:40833')).status).toBe(204);
  });

  test.each([
    'https://evil.example.com',
    'null',
    'http://temporal.example.com',
    `${UI}.evil.example`,
    `${UI}:8443`,
  ])('a page of %s gets nothing, even with a token', async (origin) => {
    const asked = await preflight(origin);
    expect(asked.status).toBe(403);
    expect(asked.headers.get('access-control-allow-origin')).toBeNull();
    const answer = await post('/decode', { payloads: [PLAIN] }, { origin });
    expect(answer).toMatchObject({ status: 403, code: 'ORIGIN_NOT_ALLOWED', payloads: [] });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  test.each(['*', 'temporal.example.com', `${UI}/`, 'https://*.example.com'])(
    '%p is no origin',
    async (origin) => {
      await expect(start({ CODEC_ORIGINS: origin })).rejects.toThrow();
    },
  );
});

describe('what is no request', () => {
  const bad = [
    '',
    'x',
    '[]',
    '"x"',
    'null',
    '{"payloads":{}}',
    '{"payloads":[1]}',
    '{"payloads":[{"data":1}]}',
  ];

  test.each([...bad, '{"payloads":[{"data":"%"}]}', '{"payloads":[{"metadata":{"encoding":7}}]}'])(
    '%p',
    async (body) => {
      for (const path of ['/encode', '/decode'])
        expect(await post(path, body)).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
    },
  );

  test('another type, method or address', async () => {
    expect(await post('/decode', PLAIN, { 'content-type': 'text/plain' })).toMatchObject({ status: 415 });
    expect(await post('/', PLAIN)).toMatchObject({ status: 404 });
    expect(await post('/decode/x', PLAIN)).toMatchObject({ status: 404 });
    expect((await fetch(`${url}/decode`)).status).toBe(405);
  });

  test('health needs no token', async () => {
    for (const path of ['/healthz', '/readyz']) expect((await fetch(url + path)).status).toBe(200);
  });
});
