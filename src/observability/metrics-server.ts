/** Where Prometheus reads an API process: on an address of its own, which the API's clients do not reach. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';

/** Prometheus reads over one connection; this is no place for a crowd. */
const MAX_CONNECTIONS = 20;
const TIMEOUT_MS = 10_000;

export interface MetricsPage {
  readonly contentType: string;
  page(): Promise<string>;
}

/** Not listening yet. Answers GET /metrics, and 404 to everything else. @param onFailure told why a page could not be made */
export function createMetricsServer(
  metrics: MetricsPage,
  onFailure: (error: unknown) => void = () => undefined,
): Server {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    metrics.page().then(
      (page) => response.writeHead(200, { 'content-type': metrics.contentType }).end(page),
      (error: unknown) => {
        onFailure(error);
        response.writeHead(500).end();
      },
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.headersTimeout = TIMEOUT_MS;
  server.requestTimeout = TIMEOUT_MS;
  return server;
}

/** @param address `127.0.0.1:40007`, `[::1]:40007` */
export function listenOptions(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/[[\]]/g, ''), port: Number(address.slice(colon + 1)) };
}
