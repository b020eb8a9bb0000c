/** Suites that take minutes begin first, or the last of them runs alone while the other worker has nothing left to do. */
const Sequencer = require('@jest/test-sequencer').default;

/**
 * Longest first, those that need the processors beside those that mostly wait. What is not named stays in jest's own order: as
 * long as it took last time, otherwise by size.
 */
const LONG = [
  'e2e/paypal-time',
  'chaos/payments-faults',
  'e2e/alipay-late',
  'chaos/kill',
  'chaos/crash-points',
  'e2e/payments-faults',
  'chaos/webhooks-kill',
  'e2e/refunds-faults',
  'e2e/webhook-retries',
  'chaos/webhooks-poison',
  'e2e/alipay-refunds',
  'chaos/webhooks-isolation',
  'e2e/retention',
  'chaos/webhooks-outage',
  'chaos/api-hostile',
  'e2e/disputes',
  'chaos/webhooks-owners',
  'e2e/faults',
  'chaos/payments-instant',
  'e2e/paypal-holds',
  'chaos/limits',
  'chaos/idempotency-kill',
  'api/fuzz',
  'e2e/late-money',
  'chaos/outages',
  'e2e/commands',
  'e2e/payments-away',
  'e2e/payments',
  'e2e/hold-endings',
  'e2e/idempotency',
  'e2e/inbound',
  'e2e/refunds',
  'e2e/races',
  'api/idempotency',
  'e2e/settlement',
  'relay/relay',
  'e2e/events',
  'workflows/webhook-delivery',
  'e2e/reconciliation',
  'e2e/secrets',
];

function rankOf({ path }) {
  const place = LONG.findIndex((name) => path.endsWith(`/${name}.test.ts`));
  return place === -1 ? LONG.length : place;
}

module.exports = class LongestFirst extends Sequencer {
  async sort(tests) {
    return [...(await super.sort(tests))].sort((a, b) => rankOf(a) - rankOf(b));
  }
};
