/** Every metric that something of the production shape shows, with its labels: what is asked for and not here, is empty. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { MetricMeter } from '@temporalio/common';
import { createOperatorCall } from '../../src/activities/attention';
import { createGatewayMetrics } from '../../src/observability/gateway-metrics';
import { createLogger } from '../../src/observability/logger';
import { createApiMetrics } from '../../src/observability/metrics';
import {
  createChannelMetrics,
  createMoneyMetrics,
  createWebhookMetrics,
} from '../../src/observability/worker-metrics';

export type KnownMetrics = ReadonlyMap<string, ReadonlySet<string>>;

/** Prometheus' own, and what it adds to everything it reads. */
const TARGET_LABELS = ['job', 'instance'];
const OWN: readonly (readonly [string, readonly string[]])[] = [
  ['up', []],
  ['ALERTS', ['alertname', 'alertstate', 'severity']],
];

type Add = (name: string, type: string, labels: Iterable<string>) => void;

/** @returns names as they are asked for: those of a histogram with `_bucket`, `_sum` and `_count` */
export async function knownMetrics(): Promise<KnownMetrics> {
  const known = new Map<string, Set<string>>();
  const put = (name: string, labels: Iterable<string>) =>
    known.set(name, new Set([...(known.get(name) ?? []), ...labels, ...TARGET_LABELS]));
  const add: Add = (name, type, labels) => {
    if (type !== 'histogram') return void put(name, labels);
    put(`${name}_bucket`, [...labels, 'le']);
    put(`${name}_sum`, labels);
    put(`${name}_count`, labels);
  };
  for (const [name, labels] of OWN) put(name, labels);
  addApi(await apiPage(), add);
  addWorkers(add);
  addSdk(add);
  addServer(add);
  return known;
}

/** The page of an API in which everything that is counted has happened once. */
function apiPage(): Promise<string> {
  const metrics = createApiMetrics({ isFallback: () => false, scalePercent: () => 100, inFlight: () => 0 });
  metrics.request('GET', '/', 200, 1);
  metrics.limited('allowed');
  metrics.shed('create');
  metrics.addressRefused();
  metrics.connectionRefused();
  const gateway = createGatewayMetrics(metrics.registry, {
    channels: ['stripe'],
    isOutOfService: () => false,
    readBacklog: () => Promise.resolve({ oldestWaitingSeconds: 0, inRetry: 0, gatedEndpoints: 0 }),
    nowMs: () => 0,
  });
  gateway.decided({ channel: 'stripe', level: 'smart', decidedBy: 'cost' });
  return metrics.page();
}

function addApi(page: string, add: Add): void {
  const lines = page.split('\n');
  for (const [, name = '', type = ''] of page.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const shown = lines.filter((line) => new RegExp(`^${name}(_bucket|_sum|_count)?[ {]`).test(line));
    add(name, type, labelsIn(shown.join('\n')));
  }
}

const labelsIn = (text: string) => [...text.matchAll(/(\w+)="/g)].map(([, label = '']) => label);

/** What the workers count themselves, through the meter of Temporal's SDK, which puts no prefix before it. */
function addWorkers(add: Add): void {
  const noting = (name: string, type: string) => (_: number, labels: Record<string, string>) =>
    add(name, type, Object.keys(labels));
  const meter = {
    createCounter: (name: string) => ({ add: noting(name, 'counter') }),
    createHistogram: (name: string) => ({ record: noting(name, 'histogram') }),
  } as unknown as MetricMeter;
  createOperatorCall(createLogger('test', 'silent'), meter);
  const channelMetrics = createChannelMetrics(meter, { channels: [], operations: [] });
  channelMetrics.begin('stripe', 'create_pre_auth')('declined', 'card_declined');
  const money = { merchantId: 'm', world: 'live', channel: 'stripe', currency: 'USD' };
  createMoneyMetrics(meter)({ ...money, amount: 1, fee: 1, defaultFee: 1 });
  createWebhookMetrics(meter);
}

const SDK_SOURCES = ['common/src/telemetry', 'sdk-core/src/telemetry', 'client/src'];

/** What the SDK shows under `temporal_`, from the sources of its core, which its package has in it. */
function addSdk(add: Add): void {
  const bridge = dirname(require.resolve('@temporalio/core-bridge/package.json'));
  const source = SDK_SOURCES.map((folder) =>
    readFileSync(join(bridge, 'sdk-core/crates', folder, 'metrics.rs'), 'utf8'),
  ).join('\n');
  const constants = new Map<string, string>();
  for (const [, constant = '', value = ''] of source.matchAll(
    /\b([A-Z_0-9]+): &(?:'static )?str =\s*"(\w+)"/g,
  )) {
    constants.set(constant, value);
  }
  const labels = [...constants].flatMap(([constant, value]) => (constant.startsWith('KEY_') ? [value] : []));
  const made = /\b(counter|gauge|histogram)\w*\(\s*MetricParameters \{\s*name: (?:"(\w+)"|(\w+))\.into/g;
  for (const [, type = '', literal, constant = ''] of source.matchAll(made)) {
    const name = literal ?? constants.get(constant);
    if (name !== undefined) add(`temporal_${name}`, type, [...labels, 'service_name']);
  }
}

/** The server's list is kept beside this file: it is no package of ours. */
function addServer(add: Add): void {
  for (const line of readFileSync(join(__dirname, 'temporal-server-metrics.txt'), 'utf8').split('\n')) {
    const [name = '', type = '', labels = ''] = line.split(' ');
    if (name !== '' && name !== '#') add(name, type, labels.split(',').filter(Boolean));
  }
}
