import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { createGuardedAgent } from '../../src/webhooks/guarded-agent';
import { attempt, job, listen, openAgent, POLICY, receive, receiveRaw } from './sockets';

const { secrets } = job('');

describe('an attempt at a receiver that answers', () => {
  test('sends the exact bytes, signed, and reports the answer', async () => {
    const seen: unknown[] = [];
    const port = await receive((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        seen.push([request.method, request.url, request.headers['content-length'], body]);
        seen.push(new Webhook(secrets[0] ?? '').verify(body, request.headers as Record<string, string>));
        response.writeHead(201).end('danke');
      });
    });
    const nowMs = Date.now();
    const body = '{"name":"Müller 订单"}';
    const result = await attempt(`http://127.0.0.1:${port}/hook?a=1`, { now: () => nowMs }, { body });
    expect(result).toEqual({
      startedAtMs: nowMs,
      durationMs: expect.any(Number) as number,
      statusCode: 201,
      response: 'danke',
      error: null,
      retryAfterMs: null,
    });
    expect(result.durationMs).toBeLessThan(5_000);
    expect(seen).toEqual([['POST', '/hook?a=1', '25', body], { name: 'Müller 订单' }]);
  });

  test('connections serve again', async () => {
    const ports = new Set<number | undefined>();
    const port = await receive((request, response) => {
      ports.add(request.socket.remotePort);
      response.end('ok');
    });
    const agent = openAgent();
    for (let n = 0; n < 10; n += 1) await attempt(`http://127.0.0.1:${port}/`, { agent });
    // Two, because a connection is free again only one turn of the event loop after its answer.
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  test('parallel attempts do not wait for each other', async () => {
    let waiting = 0;
    const responses: (() => void)[] = [];
    const port = await receive((_request, response) => {
      waiting += 1;
      responses.push(() => response.end());
      if (waiting === 100) for (const respond of responses) respond();
    });
    const agent = openAgent();
    const url = `http://127.0.0.1:${port}/`;
    const results = await Promise.all(Array.from({ length: 100 }, () => attempt(url, { agent })));
    expect(results.map((result) => result.statusCode)).toEqual(Array.from({ length: 100 }, () => 200));
  });

  test.each([301, 302, 303, 307, 308])('a %i is reported, not followed', async (status) => {
    const urls: (string | undefined)[] = [];
    const port = await receive((request, response) => {
      urls.push(request.url);
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
    expect(await attempt(`http://127.0.0.1:${port}/`)).toMatchObject({ statusCode: status, error: null });
    expect(urls).toEqual(['/']);
  });

  test('Retry-After is read in both formats', async () => {
    const nowMs = Date.UTC(2026, 0, 1);
    const values = ['90', new Date(nowMs + 60_000).toUTCString(), 'soon'];
    const port = await receive((_request, response) => {
      response.writeHead(503, { 'retry-after': values.shift() ?? '' }).end();
    });
    const asked = async () => (await attempt(`http://127.0.0.1:${port}/`, { now: () => nowMs })).retryAfterMs;
    expect([await asked(), await asked(), await asked()]).toEqual([90_000, 60_000, null]);
  });

  test('1xx answers announce the real one', async () => {
    const port = await receiveRaw((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'.repeat(3));
      socket.end('HTTP/1.1 204 No Content\r\n\r\n');
    });
    expect(await attempt(`http://127.0.0.1:${port}/`)).toMatchObject({ statusCode: 204, response: '' });
  });
});

describe('the response that is kept', () => {
  async function responseOf(body: Buffer | string): Promise<string> {
    const port = await receive((_request, response) => response.end(body));
    return (await attempt(`http://127.0.0.1:${port}/`)).response ?? '';
  }

  test('has no NUL and is valid', async () => {
    expect(await responseOf(Buffer.from([0x61, 0, 0xff, 0x62, 0xc3]))).toBe('a\ufffdb\ufffd');
  });

  test('is cut at 16 KiB, between two characters', async () => {
    expect(await responseOf('x'.repeat(16_384))).toBe('x'.repeat(16_384));
    expect(await responseOf(`x${'ä'.repeat(9_000)}`)).toBe(`x${'ä'.repeat(8_191)}`);
  });

  test('does not grow by what is put for invalid bytes', async () => {
    const text = await responseOf(Buffer.alloc(16_384, 0xff));
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(16_384);
    expect(text).toMatch(/^\ufffd{5000,}$/);
  });
});

describe('an attempt that gets no answer says why', () => {
  test('nobody listens', async () => {
    // Bound to another address, so that nobody else takes the port meanwhile.
    const port = await receive(() => undefined, '127.0.0.2');
    expect(await attempt(`http://127.0.0.1:${port}/`)).toMatchObject({
      statusCode: null,
      response: null,
      error: 'CONNECT_FAILED',
      retryAfterMs: null,
    });
  });

  test('the name does not exist', async () => {
    const agent = openAgent({ resolveName: () => Promise.reject(new Error('ENOTFOUND')) });
    expect((await attempt('http://no.test/', { agent })).error).toBe('DNS_FAILED');
    const empty = openAgent({ resolveName: () => Promise.resolve([]) });
    expect((await attempt('http://no.test/', { agent: empty })).error).toBe('DNS_FAILED');
  });

  test('the name server does not answer', async () => {
    const agent = openAgent({ resolveName: () => new Promise(() => undefined) });
    const result = await attempt('http://slow.test/', { agent, timeoutMs: 300 });
    expect(result.error).toBe('CONNECT_TIMEOUT');
    expect(result.durationMs).toBeLessThan(1_500);
    const impatient = openAgent({ resolveName: () => new Promise(() => undefined), connectTimeoutMs: 300 });
    expect((await attempt('http://slow.test/', { agent: impatient })).error).toBe('CONNECT_TIMEOUT');
  });

  test('what connects after the attempt has been given up sends nothing', async () => {
    let requests = 0;
    const port = await receive(() => (requests += 1));
    let answer: (addresses: string[]) => void = () => undefined;
    const agent = openAgent({ resolveName: () => new Promise((resolve) => (answer = resolve)) });
    const result = await attempt(`http://late.test:${port}/`, { agent, timeoutMs: 100 });
    expect(result.error).toBe('CONNECT_TIMEOUT');
    answer(['127.0.0.1']);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(requests).toBe(0);
  });

  test('the receiver is silent', async () => {
    const port = await receive(() => undefined);
    const result = await attempt(`http://127.0.0.1:${port}/`, { timeoutMs: 300 });
    expect(result).toMatchObject({ statusCode: null, error: 'TIMEOUT' });
    expect(result.durationMs).toBeGreaterThanOrEqual(299);
    expect(result.durationMs).toBeLessThan(1_500);
  });

  test('the request is too large', async () => {
    let requests = 0;
    const port = await receive((_request, response) => {
      requests += 1;
      response.end();
    });
    const url = `http://127.0.0.1:${port}/`;
    const tooLarge = await attempt(url, {}, { body: 'ä'.repeat(128 * 1024) + 'x' });
    expect([tooLarge.error, requests]).toEqual(['REQUEST_TOO_LARGE', 0]);
    expect((await attempt(url, {}, { body: 'ä'.repeat(128 * 1024) })).statusCode).toBe(200);
  });

  test('the certificate is nobody’s, or the server speaks no TLS', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'));
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-days', '2', '-keyout', keyFile, '-out', certFile];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject], {
      stdio: 'ignore',
    });
    const tls = createTlsServer({ key: readFileSync(keyFile), cert: readFileSync(certFile) });
    rmSync(folder, { recursive: true });
    const port = await listen(tls);
    expect((await attempt(`https://127.0.0.1:${port}/`)).error).toBe('TLS_FAILED');
    const plain = await receive((_request, response) => response.end());
    expect((await attempt(`https://127.0.0.1:${plain}/`)).error).toBe('TLS_FAILED');
  });

  test('the agent is closed', async () => {
    const agent = createGuardedAgent({ urlPolicy: POLICY });
    await agent.close();
    expect((await attempt('http://127.0.0.1:9/', { agent })).error).toBe('INTERNAL');
  });
});
