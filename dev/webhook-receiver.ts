/**
 * A merchant's server for the demo: answers 200 to everything, keeps the last requests, and lists them at
 * GET /_received (newest last). Settings: PORT.
 */
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';

const MAX_KEPT = 100;
const MAX_BODY_BYTES = 512 * 1024;

export interface ReceivedRequest {
  readonly at: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

const received: ReceivedRequest[] = [];

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const server = createServer((request, response) => {
  const { method = '', url = '', headers } = request;
  if (method === 'GET' && url === '/_received') {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(received));
    return;
  }
  bodyOf(request).then(
    (body) => {
      received.push({ at: new Date().toISOString(), method, path: url, headers, body });
      if (received.length > MAX_KEPT) received.shift();
      response.end();
    },
    () => response.destroy(),
  );
});

server.listen(Number(process.env['PORT'] ?? 40_099), '127.0.0.1');
for (const name of ['SIGTERM', 'SIGINT'] as const) {
  process.on(name, () => {
    server.close();
    server.closeAllConnections();
  });
}
