/** The counts of money tell merchants apart, but not without end; what alerts stand on is there from the start. */
import type { MetricMeter } from '@temporalio/common';
import { WATCHED_OPERATIONS } from '../../src/channels/watched';
import { CHANNELS, DECLINE_CODES } from '../../src/domain/channel';
import { createChannelMetrics, createMoneyMetrics } from '../../src/observability/worker-metrics';

const MERCHANTS = 200;

test('two hundred merchants are told apart for good, all others are one', () => {
  const sums = new Map<string, number>();
  const meter = {
    createCounter: (name: string) => ({
      add(value: number, labels: Record<string, string>) {
        const key = `${name} ${labels['merchant']}`;
        sums.set(key, (sums.get(key) ?? 0) + value);
      },
    }),
  } as unknown as MetricMeter;
  const count = createMoneyMetrics(meter);
  const place = { world: 'live', channel: 'stripe', currency: 'USD' };
  for (let round = 0; round < 2; round += 1)
    for (let i = 0; i < MERCHANTS + 50; i += 1)
      count({ ...place, merchantId: `m${i}`, amount: 100, fee: 3, defaultFee: 5 });
  expect(sums.size).toBe(3 * (MERCHANTS + 1));
  expect(sums.get('holdfast_paid_minor_total m0')).toBe(200);
  expect(sums.get('holdfast_fees_paid_minor_total m199')).toBe(6);
  expect(sums.get('holdfast_fees_at_default_minor_total other')).toBe(2 * 50 * 5);
  expect(sums.has('holdfast_paid_minor_total m200')).toBe(false);
});

test('that a channel refuses our credentials is counted from 0, by the series that are used', () => {
  const declines = new Map<string, number>();
  const meter = {
    createCounter: (name: string) => ({
      add(value: number, labels: Record<string, string>) {
        if (name !== 'holdfast_channel_declines_total') return;
        const key = ['channel', 'operation', 'reason'].map((label) => labels[label]).join(' ');
        declines.set(key, (declines.get(key) ?? 0) + value);
      },
    }),
    createHistogram: () => ({ record: () => undefined }),
  } as unknown as MetricMeter;
  const metrics = createChannelMetrics(meter, { channels: CHANNELS, operations: WATCHED_OPERATIONS });
  expect(declines.size).toBe(CHANNELS.length * WATCHED_OPERATIONS.length);
  expect(new Set(declines.values())).toEqual(new Set([0]));
  for (const key of declines.keys()) expect(DECLINE_CODES).toContain(key.split(' ')[2]);
  metrics.begin('paypal', 'create_refund')('declined', 'account_invalid');
  expect(declines.get('paypal create_refund account_invalid')).toBe(1);
  expect(declines.size).toBe(CHANNELS.length * WATCHED_OPERATIONS.length);
});
