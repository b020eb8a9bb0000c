/** Suites that take minutes begin first, or the last of them runs alone while the other worker has nothing left to do. */
const Sequencer = require('@jest/test-sequencer').default;

/** Longest first. What is not named stays in jest's own order: as long as it took last time, otherwise by size. */
const LONG = [
  'chaos/payments-faults',
  'chaos/webhooks-kill',
  'chaos/webhooks-poison',
  'chaos/kill',
  'chaos/payments-instant',
  'chaos/webhooks-outage',
  'chaos/webhooks-owners',
  'chaos/webhooks-isolation',
  'chaos/outages',
  'chaos/crash-points',
  'e2e/retention',
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
