/** Receivers that would like to keep the sender busy, or to fill its memory. */
import type { Socket } from 'node:net';
import { attempt, openAgent, receiveRaw } from './sockets';

/** Far more than the sender wants, far less than a gigabyte: what the two sockets' buffers may hold on top. */
const BUFFERS_BYTES = 16 * 1024 * 1024;

/** Writes as fast as the socket takes it until it is closed or a gigabyte is out. @returns what was taken */
function flood(socket: Socket, head: string, piece: Buffer): { writtenBytes: number } {
  const flow = { writtenBytes: 0 };
  const write = () => {
    while (!socket.destroyed && flow.writtenBytes < 1_000_000_000) {
      flow.writtenBytes += piece.length;
      if (!socket.write(piece)) return;
    }
  };
  socket.on('drain', write);
  socket.write(head);
  write();
  return flow;
}

const closed = (socket: Socket) =>
  new Promise((resolve) => (socket.destroyed ? resolve(undefined) : socket.once('close', resolve)));

const PIECE = Buffer.alloc(65_536, 'x');
const CHUNK = Buffer.concat([Buffer.from('10000\r\n'), PIECE, Buffer.from('\r\n')]);

describe('a body that is too large: the status counts, the connection is dropped', () => {
  test.each([
    ['200 with a gigabyte', 'HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n', PIECE, 200],
    ['200 without an end', 'HTTP/1.1 200 OK\r\n\r\n', PIECE, 200],
    ['200 in endless chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', CHUNK, 200],
    ['500 with a gigabyte', 'HTTP/1.1 500 Oops\r\ncontent-length: 1000000000\r\n\r\n', PIECE, 500],
  ])('%s', async (_name, head, piece, statusCode) => {
    let flow = { writtenBytes: 0 };
    let gone: Promise<unknown> = Promise.resolve();
    const port = await receiveRaw((socket) => {
      gone = closed(socket);
      flow = flood(socket, head, piece);
    });
    const result = await attempt(`http://127.0.0.1:${port}/`);
    expect(result).toMatchObject({ statusCode, error: null, response: 'x'.repeat(16_384) });
    expect(result.durationMs).toBeLessThan(1_500);
    await gone;
    expect(flow.writtenBytes).toBeGreaterThan(0);
    expect(flow.writtenBytes).toBeLessThan(BUFFERS_BYTES);
  });

  test('a hundred of them at once stay within bounded memory', async () => {
    const flows: { writtenBytes: number }[] = [];
    const port = await receiveRaw((socket) => {
      flows.push(flood(socket, 'HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n', PIECE));
    });
    const agent = openAgent();
    const before = process.memoryUsage().rss;
    const url = `http://127.0.0.1:${port}/`;
    const results = await Promise.all(Array.from({ length: 100 }, () => attempt(url, { agent })));
    expect(results.filter((result) => result.statusCode === 200)).toHaveLength(100);
    const totalBytes = flows.reduce((sum, flow) => sum + flow.writtenBytes, 0);
    expect(flows).toHaveLength(100);
    expect(totalBytes).toBeLessThan(100 * BUFFERS_BYTES);
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024);
  });
});

describe('a receiver that drips', () => {
  /** One byte every 50 ms, for ever. */
  function drip(socket: Socket, head: string): void {
    socket.write(head);
    const timer = setInterval(() => socket.write('x'), 50);
    socket.on('close', () => clearInterval(timer));
  }

  test('its body is read for two seconds, and the success stays one', async () => {
    let gone: Promise<unknown> = Promise.resolve();
    const port = await receiveRaw((socket) => {
      gone = closed(socket);
      drip(socket, 'HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n');
    });
    const result = await attempt(`http://127.0.0.1:${port}/`, { timeoutMs: 30_000 });
    expect(result).toMatchObject({ statusCode: 200, error: null });
    expect(result.response).toMatch(/^x{2,60}$/);
    expect(result.durationMs).toBeGreaterThanOrEqual(1_990);
    expect(result.durationMs).toBeLessThan(4_000);
    await gone;
  });

  test('the time for the whole exchange is shorter still', async () => {
    const port = await receiveRaw((socket) => drip(socket, 'HTTP/1.1 500 Oops\r\n\r\n'));
    const result = await attempt(`http://127.0.0.1:${port}/`, { timeoutMs: 400 });
    expect(result).toMatchObject({ statusCode: 500, error: null });
    expect(result.durationMs).toBeLessThan(1_500);
  });

  test.each([
    ['in its header', 'HTTP/1.1 200 OK\r\nx: '],
    ['in its status line', 'HTTP/1.1 200 '],
    ['before its status line', ''],
  ])('%s: no answer in time', async (_name, head) => {
    let gone: Promise<unknown> = Promise.resolve();
    const port = await receiveRaw((socket) => {
      gone = closed(socket);
      if (head === '') return;
      drip(socket, head);
    });
    const result = await attempt(`http://127.0.0.1:${port}/`, { timeoutMs: 600 });
    expect(result).toMatchObject({ statusCode: null, response: null, error: 'TIMEOUT' });
    expect(result.durationMs).toBeLessThan(2_000);
    await gone;
  });

  test('endless announcements are not an answer', async () => {
    const port = await receiveRaw((socket) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    const result = await attempt(`http://127.0.0.1:${port}/`, { timeoutMs: 500 });
    expect(result).toMatchObject({ statusCode: null, error: 'TIMEOUT' });
  });
});

describe('a receiver that closes early', () => {
  test.each([
    ['before anything', '', null, 'CONNECTION_CLOSED'],
    ['in the status line', 'HTTP/1.1 20', null, 'CONNECTION_CLOSED'],
    ['in the header', 'HTTP/1.1 200 OK\r\ncontent-le', null, 'CONNECTION_CLOSED'],
    ['in the body', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', 200, null],
    ['in a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n100\r\nhalf', 200, null],
    ['in the body of a failure', 'HTTP/1.1 500 Oops\r\ncontent-length: 100\r\n\r\nhalf', 500, null],
  ])('%s', async (_name, bytes, statusCode, error) => {
    const port = await receiveRaw((socket) => socket.end(bytes));
    const result = await attempt(`http://127.0.0.1:${port}/`);
    expect(result).toMatchObject({ statusCode, error, response: statusCode === null ? null : 'half' });
    expect(result.durationMs).toBeLessThan(1_500);
  });

  test('with a reset', async () => {
    const port = await receiveRaw((socket) => socket.resetAndDestroy());
    expect(await attempt(`http://127.0.0.1:${port}/`)).toMatchObject({ error: 'CONNECTION_CLOSED' });
  });
});

describe('a receiver that does not speak HTTP', () => {
  test.each([
    ['a greeting of SMTP', '220 mail.example.com ESMTP\r\n'],
    ['noise', '\u0000\u0001\u0002\u0003'],
    ['a status that is no number', 'HTTP/1.1 abc OK\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
    ['HTTP/2', 'HTTP/2 200\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'],
    ['a header without a colon', 'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n'],
    ['a header of 1 MB', `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(1_000_000)}\r\n\r\n`],
    ['a million headers', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(1_000_000)}\r\n`],
  ])('%s', async (_name, bytes) => {
    const port = await receiveRaw((socket) => socket.write(bytes));
    const result = await attempt(`http://127.0.0.1:${port}/`, { timeoutMs: 3_000 });
    expect(result).toMatchObject({ statusCode: null, response: null, error: 'INVALID_RESPONSE' });
    expect(result.durationMs).toBeLessThan(2_500);
  });

  test.each([
    [
      'an upgrade nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
    ],
    ['a 100 nobody waits for', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ])('%s is no answer', async (_name, bytes) => {
    const port = await receiveRaw((socket) => socket.write(bytes));
    const result = await attempt(`http://127.0.0.1:${port}/`, { timeoutMs: 3_000 });
    expect(result).toMatchObject({ statusCode: null, error: 'CONNECTION_CLOSED' });
  });

  test('invalid chunks after a good status change nothing', async () => {
    const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
    const port = await receiveRaw((socket) => socket.write(`${head}zz\r\nhello`));
    expect(await attempt(`http://127.0.0.1:${port}/`)).toMatchObject({ statusCode: 200, error: null });
  });
});
