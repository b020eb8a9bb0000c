/** A merchant's server: keeps what it gets, answers what it is told to, and lists the last requests at GET /_received. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

const MAX_KEPT = 100;
const MAX_BODY_BYTES = 512 * 1024;

export interface ReceivedRequest {
  readonly at: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The exact text that came, which is what is signed. */
  readonly body: string;
  readonly answered: number;
}

type Answer = (request: Omit<ReceivedRequest, 'answered'>) => number;

export class Receiver {
  /** Newest last. */
  readonly received: ReceivedRequest[] = [];
  private readonly server: Server;

  /** @param answer the status to answer with; default 200 */
  constructor(private readonly answer: Answer = () => 200) {
    this.server = createServer((request, response) => {
      this.serve(request, response).catch(() => response.destroy());
    });
  }

  async listen(port: number): Promise<void> {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers } = request;
    if (method === 'GET' && path === '/_received') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(this.received));
      return;
    }
    const seen = { at: new Date().toISOString(), method, path, headers, body: await bodyOf(request) };
    const answered = this.answer(seen);
    this.received.push({ ...seen, answered });
    if (this.received.length > MAX_KEPT) this.received.shift();
    response.writeHead(answered).end();
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
