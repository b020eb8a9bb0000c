/** Prometheus reads an API process where its clients do not come. */
import type { AddressInfo } from 'node:net';
import { createMetricsServer, listenOptions } from '../../src/observability/metrics-server';
import type { MetricsPage } from '../../src/observability/metrics-server';
import { configSchema } from '../../src/config/config';

async function start(metrics: MetricsPage, onFailure?: (error: unknown) => void) {
  const server = createMetricsServer(metrics, onFailure);
  await new Promise<void>((resolve) => server.listen(listenOptions('127.0.0.1:0'), resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, close: () => server.close().closeAllConnections() };
}

it('answers under /metrics, and knows nothing else', async () => {
  const { url, close } = await start({ contentType: 'text/plain', page: () => Promise.resolve('up 1\n') });
  const page = await fetch(`${url}/metrics`);
  expect([page.status, page.headers.get('content-type'), await page.text()]).toEqual([
    ...[200, 'text/plain', 'up 1\n'],
  ]);
  const others = [fetch(url), fetch(`${url}/healthz`), fetch(`${url}/metrics`, { method: 'POST' })];
  expect((await Promise.all(others)).map(({ status }) => status)).toEqual([404, 404, 404]);
  close();
});

it('says 500 and goes on when a page cannot be made', async () => {
  const failures: unknown[] = [];
  const page = () => Promise.reject(new Error('a gauge'));
  const { url, close } = await start({ contentType: 'x', page }, (error) => failures.push(error));
  expect((await fetch(`${url}/metrics`)).status).toBe(500);
  expect(failures).toEqual([new Error('a gauge')]);
  close();
});

it.each([
  ['127.0.0.1:40009', { host: '127.0.0.1', port: 40009 }],
  ['[::1]:40009', { host: '::1', port: 40009 }],
])('%s is understood', (address, expected) => expect(listenOptions(address)).toEqual(expected));

it.each(['localhost:1', '127.0.0.1', ':1'])('%s is no address', (address) =>
  expect(configSchema.shape.API_METRICS_ADDRESS.safeParse(address).success).toBe(false),
);
