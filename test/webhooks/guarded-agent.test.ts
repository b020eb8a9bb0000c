/** The guard where it counts: between the name and the connection. 127.0.0.1 plays the public address (sockets.ts). */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { createResolver } from '../../src/webhooks/guarded-agent';
import { afterTest, attempt, listen, openAgent, receive } from './sockets';

/** Another address on the same port that nobody may reach. @returns how often somebody did */
async function setTrap(port: number): Promise<() => number> {
  let connections = 0;
  await listen(
    createServer((socket) => {
      connections += 1;
      socket.end();
    }),
    '127.0.0.2',
    port,
  );
  return () => connections;
}

describe('names', () => {
  test('that change between check and use: the connection goes where it was checked', async () => {
    const answers = [['127.0.0.1'], ['127.0.0.2'], ['127.0.0.2']];
    let asked = 0;
    const resolveName = () => Promise.resolve(answers[asked++] ?? []);
    let closes = true;
    const port = await receive((_request, response) => {
      response.writeHead(200, closes ? { connection: 'close' } : {}).end();
    });
    const trapped = await setTrap(port);
    const agent = openAgent({ resolveName });
    const url = `http://rebinding.test:${port}/`;
    // One question per connection, and none between its answer and the connection.
    expect([(await attempt(url, { agent })).statusCode, asked]).toEqual([200, 1]);
    expect((await attempt(url, { agent })).error).toBe('ADDRESS_NOT_ALLOWED');
    closes = false;
    expect((await attempt(url, { agent })).error).toBe('ADDRESS_NOT_ALLOWED');
    expect([asked, trapped()]).toEqual([3, 0]);
  });

  test('that resolve to a mix are refused, whatever the order', async () => {
    let requests = 0;
    const port = await receive((_request, response) => {
      requests += 1;
      response.end();
    });
    const trapped = await setTrap(port);
    for (const addresses of [
      ['127.0.0.1', '127.0.0.2'],
      ['127.0.0.2', '127.0.0.1'],
      ['127.0.0.1', '::1'],
      ['127.0.0.1', 'fe80::1'],
      ['127.0.0.1', 'not an address'],
    ]) {
      const agent = openAgent({ resolveName: () => Promise.resolve(addresses) });
      const result = await attempt(`http://mixed.test:${port}/`, { agent });
      expect([addresses, result.error]).toEqual([addresses, 'ADDRESS_NOT_ALLOWED']);
    }
    expect([requests, trapped()]).toEqual([0, 0]);
  });

  test.each([
    ...['127.0.0.1', '10.0.0.1', '172.16.0.1', '192.168.0.1', '169.254.169.254', '100.64.0.1', '224.0.0.1'],
    ...['0.0.0.0', '255.255.255.255', '168.63.129.16', '::1', '::', 'fc00::1', 'fe80::1', 'ff02::1'],
    ...['::ffff:127.0.0.1', '::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::7f00:1', '2002:7f00:1::'],
    ...['2001:0:7f00:1::', '2001:db8::1', '3fff::1'],
  ])('that resolve to %s are refused where nothing is allowed besides', async (address) => {
    const urlPolicy = { production: false, allowedCidrs: '' };
    const agent = openAgent({ urlPolicy, resolveName: () => Promise.resolve([address]) });
    expect((await attempt('http://evil.test:9/', { agent, urlPolicy })).error).toBe('ADDRESS_NOT_ALLOWED');
  });

  test('several good addresses: the one that answers is used', async () => {
    const urlPolicy = { production: false, allowedCidrs: '127.0.0.0/8' };
    const port = await receive((_request, response) => response.end());
    const agent = openAgent({ urlPolicy, resolveName: () => Promise.resolve(['127.0.0.3', '127.0.0.1']) });
    expect((await attempt(`http://two.test:${port}/`, { agent, urlPolicy })).statusCode).toBe(200);
  });

  test('a burst asks once, and the next connection asks again', async () => {
    let asked = 0;
    const resolveName = async () => {
      asked += 1;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return ['127.0.0.1'];
    };
    const port = await receive((_request, response) => {
      response.writeHead(200, { connection: 'close' }).end();
    });
    const agent = openAgent({ resolveName });
    const url = `http://burst.test:${port}/`;
    const results = await Promise.all(Array.from({ length: 20 }, () => attempt(url, { agent })));
    expect(results.map((result) => result.statusCode)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(asked).toBe(1);
    await attempt(url, { agent });
    expect(asked).toBe(2);
  });

  test('of this machine need no name server, and only what is allowed is used', async () => {
    const port = await receive((_request, response) => response.end());
    const agent = openAgent({ resolveName: () => Promise.reject(new Error('asked')) });
    expect((await attempt(`http://localhost:${port}/`, { agent })).statusCode).toBe(200);
    expect((await attempt(`http://a.LOCALHOST.:${port}/`, { agent })).statusCode).toBe(200);
    const none = { production: false, allowedCidrs: '' };
    const strict = openAgent({ urlPolicy: none });
    const refused = await attempt(`http://localhost:${port}/`, { agent: strict, urlPolicy: none });
    expect(refused.error).toBe('ADDRESS_NOT_ALLOWED');
    // The agent does not rely on its caller here.
    expect((await attempt(`http://localhost:${port}/`, { agent: strict })).error).toBe('ADDRESS_NOT_ALLOWED');
  });
});

describe('what needs no name', () => {
  test.each([
    'http://127.0.0.2:{port}/',
    'http://2130706434:{port}/',
    'http://0x7f000002:{port}/',
    'http://0177.0.0.02:{port}/',
    'http://127.2:{port}/',
    'http://127.0.0.2.:{port}/',
    'http://%31%32%37.0.0.2:{port}/',
    'http://[::ffff:127.0.0.2]:{port}/',
    'http://[64:ff9b::127.0.0.2]:{port}/',
    'http://[::1]:{port}/',
  ])('%s is refused at delivery too', async (form) => {
    const port = await receive((_request, response) => response.end());
    const trapped = await setTrap(port);
    const result = await attempt(form.replace('{port}', String(port)));
    expect([result.error, result.statusCode]).toEqual(['ADDRESS_NOT_ALLOWED', null]);
    expect(trapped()).toBe(0);
  });

  test.each([
    ['http://user:pass@127.0.0.1:{port}/', {}],
    ['ftp://127.0.0.1:{port}/', {}],
    ['file:///etc/passwd', {}],
    ['nonsense', {}],
    ['http://127.0.0.1:{port}/', { production: true }],
    ['http://127.0.0.1:{port}/', { blocked: true }],
  ])('%s is not allowed with %j', async (form, { production = false, blocked = false }: Rules) => {
    let requests = 0;
    const port = await receive((_request, response) => {
      requests += 1;
      response.end();
    });
    const blockedPorts = blocked ? [25, port] : [];
    const urlPolicy = { production, allowedCidrs: '127.0.0.1/32', blockedPorts };
    const result = await attempt(form.replace('{port}', String(port)), { urlPolicy });
    expect([result.error, requests]).toEqual(['URL_NOT_ALLOWED', 0]);
  });
});

interface Rules {
  production?: boolean;
  blocked?: boolean;
}

test('a redirect to a forbidden address goes nowhere', async () => {
  let location = '';
  const port = await receive((_request, response) => response.writeHead(307, { location }).end());
  const trapped = await setTrap(port);
  location = `http://127.0.0.2:${port}/`;
  expect((await attempt(`http://127.0.0.1:${port}/`)).statusCode).toBe(307);
  expect(trapped()).toBe(0);
});

describe('createResolver', () => {
  const A = 1;
  const AAAA = 28;
  /** A name server: the records of each type, or no answer at all. @returns its address */
  async function serveNames(records: Readonly<Record<number, readonly Buffer[]>> | null): Promise<string> {
    const socket = createSocket('udp4');
    socket.on('message', (query, from) => {
      if (records === null) return;
      const questionEnd = query.indexOf(0, 12) + 5;
      const type = query.readUInt16BE(questionEnd - 4);
      const answers = (records[type] ?? []).map((data) =>
        Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length]), data]),
      );
      const header = Buffer.from([0, 0, 0x81, 0x80, 0, 1, 0, answers.length, 0, 0, 0, 0]);
      query.copy(header, 0, 0, 2);
      socket.send(
        Buffer.concat([header, query.subarray(12, questionEnd), ...answers]),
        from.port,
        from.address,
      );
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    afterTest(() => new Promise<void>((resolve) => socket.close(() => resolve())));
    return `127.0.0.1:${socket.address().port}`;
  }

  const IPV6 = Buffer.from('20010db8000000000000000000000001', 'hex');

  test('answers the addresses of both families, or of the one there is', async () => {
    const both = createResolver([await serveNames({ [A]: [Buffer.from([192, 0, 2, 1])], [AAAA]: [IPV6] })]);
    expect([...(await both('example.com'))].sort()).toEqual(['192.0.2.1', '2001:db8::1']);
    const one = createResolver([await serveNames({ [AAAA]: [IPV6] })]);
    expect(await one('example.com')).toEqual(['2001:db8::1']);
  });

  test('rejects when there is none', async () => {
    await expect(createResolver([await serveNames({})])('example.com')).rejects.toMatchObject({
      code: 'ENODATA',
    });
  });

  test('names behind a dead name server do not hold up the others', async () => {
    const dead = createResolver([await serveNames(null)]);
    const alive = createResolver([await serveNames({ [A]: [Buffer.from([192, 0, 2, 1])] })]);
    const hanging = Array.from({ length: 50 }, (_, n) => dead(`dead-${n}.test`).catch(() => 'failed'));
    const startedMs = performance.now();
    expect(await alive('example.com')).toEqual(['192.0.2.1']);
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    expect(new Set(await Promise.all(hanging))).toEqual(new Set(['failed']));
  });
});
