/** What is refused before Express sees it is told in the caller's language too, where it is known by then. */
import type { AddressInfo } from 'node:net';
import { createApiServer } from '../../src/api/server-limits';
import type { ApiServer } from '../../src/api/server-limits';
import { exchange } from './fuzz-wire';

const CHINESE = /[\u4e00-\u9fff]/;
const MANY = Array.from({ length: 101 }, (_, index) => `X-${index}: a\r\n`).join('');

let server: ApiServer;
beforeAll(async () => {
  server = createApiServer((req, res) => {
    req.on('data', () => undefined);
    req.on('end', () => res.end('{}'));
  });
  server.http.requestTimeout = 300;
  server.http.headersTimeout = 300;
  await new Promise<void>((resolve) => server.http.listen(0, '127.0.0.1', resolve));
});
afterAll(() => server.drain(1_000));

const ask = async (text: string) => {
  const answer = await exchange((server.http.address() as AddressInfo).port, Buffer.from(text, 'latin1'));
  const { code, message } = JSON.parse(answer?.body ?? '{}') as { code?: string; message?: string };
  return { status: answer?.status, headers: answer?.headers, code, message };
};

const FAULTS: readonly [string, (language: string) => string, string][] = [
  ['no Host', (language) => `GET / HTTP/1.1\r\n${language}\r\n`, 'INVALID_REQUEST'],
  [
    'too many headers',
    (language) => `GET / HTTP/1.1\r\nHost: a\r\n${language}${MANY}\r\n`,
    'HEADERS_TOO_LARGE',
  ],
  [
    'a URL that is none',
    (language) => `GET http://[ HTTP/1.1\r\nHost: a\r\n${language}\r\n`,
    'INVALID_REQUEST',
  ],
  ['a tunnel', (language) => `CONNECT a:1 HTTP/1.1\r\nHost: a\r\n${language}\r\n`, 'METHOD_NOT_ALLOWED'],
  [
    'a body that does not come',
    (language) => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n${language}\r\n1`,
    'REQUEST_TIMEOUT',
  ],
  [
    'a chunk that is none',
    (language) => `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n${language}\r\nzz\r\n`,
    'INVALID_REQUEST',
  ],
];

describe.each(FAULTS)('%s', (_, textOf, code) => {
  it('is told in Chinese to who prefers it', async () => {
    const told = await ask(textOf('Accept-Language: zh-CN,zh;q=0.9,en;q=0.1\r\n'));
    expect(told).toMatchObject({ code, message: expect.stringMatching(CHINESE) as string });
    expect(told.headers).toMatchObject({ 'content-language': 'zh', vary: 'Accept-Language' });
  });

  it.each(['', 'Accept-Language: de\r\n'])('and in English to everybody else: "%s"', async (language) => {
    const told = await ask(textOf(language));
    expect(told).toMatchObject({ code, message: expect.not.stringMatching(CHINESE) as string });
    expect(told.headers?.['content-language']).toBe('en');
  });
});

it('what never became a request is told in English', async () => {
  const told = await ask('STEAL / HTTP/1.1\r\nAccept-Language: zh\r\n\r\n');
  expect([told.status, told.headers?.['content-language']]).toEqual([400, 'en']);
});
