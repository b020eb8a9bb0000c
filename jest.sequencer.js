/** Suites that take minutes begin first, or the last of them runs alone while the other worker has nothing left to do. */
const Sequencer = require('@jest/test-sequencer').default;

/**
 * Longest first. What is not named stays in jest's own order: as
 * long as it took last time, otherwise by size.
 */
const LONG = [
  'e2e/paypal-time',
  'e2e/alipay-late',
  'e2e/left-channel',
  'e2e/refunds-faults',
  'chaos/kill',
  'chaos/crash-points',
  'e2e/alipay-refunds',
  'e2e/payments-faults',
  'chaos/payments-faults',
  'e2e/webhook-retries',
  'chaos/webhooks-kill',
  'e2e/disputes',
  'e2e/paypal-holds',
  'e2e/faults',
  'chaos/api-hostile',
  'chaos/payments-instant',
  'e2e/failover',
  'e2e/late-money',
  'chaos/webhooks-poison',
  'chaos/limits',
  'chaos/webhooks-isolation',
  'e2e/commands',
  'routing/outage',
  'chaos/webhooks-owners',
  'e2e/retention',
  'chaos/webhooks-outage',
  'e2e/failover-endings',
  'chaos/outages',
  'e2e/hold-endings',
  'chaos/idempotency-kill',
  'e2e/idempotency',
  'e2e/refunds',
  'e2e/payments-away',
  'e2e/payments',
  'e2e/inbound',
  'api/fuzz',
  'e2e/races',
  'api/idempotency',
  'workflows/payment-completion',
  'relay/relay',
  'e2e/settlement',
  'e2e/events',
  'api/limits/tier-directory',
  'routing/snapshot',
  'e2e/bad-input',
  'chaos/api-hostile-end',
  'e2e/routing',
  'e2e/secrets',
  'contract/alipay-faults',
  'e2e/reconciliation',
  'workflows/webhook-delivery',
  'e2e/secret-hunt',
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
