/** What an API shows of routing and webhooks: asked rarely, never made up, and no page waits for a database. */
import { Registry } from 'prom-client';
import { createGatewayMetrics } from '../../src/observability/gateway-metrics';
import type { WebhookBacklog } from '../../src/observability/gateway-metrics';

const BACKLOG: WebhookBacklog = { oldestWaitingSeconds: 12.5, inRetry: 3, gatedEndpoints: 1 };

function shown(readBacklog: () => Promise<WebhookBacklog>) {
  const registry = new Registry();
  const clock = { ms: 0 };
  const out = new Set<string>();
  const metrics = createGatewayMetrics(registry, {
    channels: ['stripe', 'paypal'],
    isOutOfService: (channel) => out.has(channel),
    readBacklog,
    nowMs: () => clock.ms,
  });
  const lines = async () => (await registry.metrics()).split('\n').filter((line) => /^holdfast_/.test(line));
  return { metrics, clock, out, lines };
}

test('decisions are counted, and channels are out as long as they are', async () => {
  const { metrics, out, lines } = shown(() => Promise.resolve(BACKLOG));
  metrics.decided({ channel: 'stripe', level: 'smart', decidedBy: 'cost' });
  metrics.decided({ channel: 'stripe', level: 'explicit' });
  out.add('paypal');
  expect(await lines()).toEqual([
    'holdfast_routing_decisions_total{channel="stripe",level="smart",strategy="cost"} 1',
    'holdfast_routing_decisions_total{channel="stripe",level="explicit",strategy=""} 1',
    'holdfast_channel_out_of_service{channel="stripe"} 0',
    'holdfast_channel_out_of_service{channel="paypal"} 1',
    'holdfast_webhook_oldest_waiting_seconds 12.5',
    'holdfast_webhook_in_retry 3',
    'holdfast_webhook_gated_endpoints 1',
  ]);
  out.clear();
  expect(await lines()).toContain('holdfast_channel_out_of_service{channel="paypal"} 0');
});

test('the database is asked once in ten seconds, by however many', async () => {
  let asked = 0;
  const { clock, lines } = shown(() => Promise.resolve({ ...BACKLOG, inRetry: (asked += 1) }));
  await Promise.all([lines(), lines(), lines()]);
  clock.ms = 9_999;
  expect(await lines()).toContain('holdfast_webhook_in_retry 1');
  clock.ms = 10_000;
  expect(await lines()).toContain('holdfast_webhook_in_retry 2');
});

test('what is not known is not shown, and comes back', async () => {
  let answer: () => Promise<WebhookBacklog> = () => Promise.resolve(BACKLOG);
  const { clock, lines } = shown(() => answer());
  expect((await lines()).join()).toContain('holdfast_webhook_in_retry');
  answer = () => Promise.reject(new Error('away'));
  clock.ms = 10_000;
  expect((await lines()).join()).not.toContain('holdfast_webhook_');
  answer = () => Promise.resolve(BACKLOG);
  clock.ms = 20_000;
  expect((await lines()).join()).toContain('holdfast_webhook_in_retry');
});

test('a database that does not answer keeps the page for two seconds at most', async () => {
  const { lines } = shown(() => new Promise(() => undefined));
  const startedAtMs = Date.now();
  expect((await lines()).join()).toContain('holdfast_channel_out_of_service');
  expect(Date.now() - startedAtMs).toBeLessThan(4_000);
});
