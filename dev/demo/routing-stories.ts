/** Two stories of routing: one order under the four modes, and a channel that is down. Amounts in minor units. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ROUTING_MODES } from '../../src/domain/routing/types';
import { askSandbox } from '../demo-client';
import { money } from '../terminal';
import { readChannelBooks } from './channel-books';
import type { ChannelName } from './channel-books';
import type { Payment } from './payment-client';
import { BACK, counted, create, workflowOf } from './payment-steps';
import { quote, quoteBest, readRouted } from './routing-client';
import type { Decision, RoutedPayment } from './routing-client';
import type { Stage } from './stage';
import { WAIT_MS } from './steps';
import type { Telling } from './steps';
import type { Story } from './story';

/** Nobody pays most of these orders: they close by themselves. */
const COMMON = { expires_in: 120, ...BACK };
/** More than put a channel out of service. */
const ORDERS_AT_ONCE = 12;
const POLL_MS = 100;
const PAUSE_BETWEEN_ORDERS_MS = 500;
const BACK_WITHIN_MS = 40_000;

const MODES: Telling = {
  title: '13  One order, four modes',
  about:
    'A guest from Germany, no channel named. Each mode is asked where it would send the order, and for what fee.',
  currency: 'EUR',
  tell: async (stage, story) => {
    const order = { amount: 10_000, currency: story.currency, country: 'DE' };
    const decisions = await story.step(order.amount, 'quoted under each mode; nothing is created', () =>
      Promise.all(ROUTING_MODES.map((mode) => quoteBest(stage, { ...order, mode }))),
    );
    showModes(story, decisions);
    const [balanced, cost] = decisions;
    const geographic = decisions.at(-1);
    if (balanced === undefined || cost === undefined || geographic === undefined)
      throw new Error('no quotes');
    const cheapest = Math.min(...eligibleOf(cost).map(({ fee = Infinity }) => fee));
    const paid = feeAt(cost, cost.channel);
    story.check(paid === cheapest, 'Mode cost', `${cost.channel}: ${money(paid, story.currency)}, the least`);
    const homes = eligibleOf(geographic).map(({ scores }) => scores?.geographic ?? 0);
    const home = candidate(geographic, geographic.channel)?.scores?.geographic ?? 0;
    const isAtHome = home > 0 && home === Math.max(...homes);
    story.check(
      isAtHome,
      'Mode geographic',
      `${geographic.channel}: at home in ${order.country} (${home} of 100)`,
    );
    const payment = await place(stage, story, order, 'asked for without a channel');
    const { channel, routing } = payment;
    story.check(
      channel === routing.channel && (channel === balanced.channel || routing.explored === true),
      'The order',
      `${channel}: ${routing.reason}`,
    );
    return workflowOf(stage, payment);
  },
};

const OUTAGE: Telling = {
  title: '14  A channel that is down',
  about:
    'PayPal refuses every new order. What it has refused goes on at Stripe, new orders go round it, probes find it healed.',
  currency: 'EUR',
  tell: async (stage, story) => {
    const order = { amount: 8_000, currency: story.currency, country: 'DE' };
    await place(stage, story, order, 'an order before');
    const heal = await breakPayPal(stage, story);
    await showRescued(stage, story, await rescue(stage, story, order));
    await until(
      'PayPal is out of service',
      () => isOut(stage, order),
      (now) => now,
    );
    const detour = await place(stage, story, order, 'an order now that PayPal is out of service');
    const direct = detour.attempts.length === 1 && detour.channel === 'stripe';
    story.check(direct, 'A new order', `${detour.channel} at once: ${detour.routing.reason}`);
    await heal();
    const probes = await comeBack(stage, story, order);
    const taken = probes.filter(({ channel }) => channel === 'paypal').length;
    story.check(
      taken >= 3,
      'Probes',
      `${counted(probes.length, 'order')} tried it, ${taken} of them it took`,
    );
    const last = await place(stage, story, order, 'an order afterwards');
    const isBack = last.channel === 'paypal' || last.routing.explored === true;
    story.check(isBack, 'Afterwards', `${last.channel}: ${last.routing.reason}`);
    return workflowOf(stage, last);
  },
};

export const ROUTING_STORIES: readonly Telling[] = [MODES, OUTAGE];

interface Order {
  readonly amount: number;
  readonly currency: string;
  readonly country: string;
}

const candidate = ({ candidates }: Decision, channel: string) =>
  candidates.find((one) => one.channel === channel);
const feeAt = (decision: Decision, channel: string) => candidate(decision, channel)?.fee ?? NaN;
const eligibleOf = ({ candidates }: Decision) => candidates.filter(({ eligible }) => eligible);

/** The fees of all channels that could take it side by side. */
function showModes(story: Story, decisions: readonly Decision[]): void {
  const [first] = decisions;
  const channels = first === undefined ? [] : eligibleOf(first).map(({ channel }) => channel);
  story.table([
    ['mode', 'goes to', 'fee', ...channels.map((channel) => `at ${channel}`), 'because'],
    ...decisions.map((decision) => [
      decision.mode,
      decision.channel,
      money(feeAt(decision, decision.channel), story.currency),
      ...channels.map((channel) => money(feeAt(decision, channel), story.currency)),
      decision.reason,
    ]),
  ]);
}

const ask = (stage: Stage, order: Order) => create(stage, { ...COMMON, ...order });

async function place(stage: Stage, story: Story, order: Order, what: string): Promise<RoutedPayment> {
  const payment = await story.step(
    order.amount,
    ({ payment_no: no, channel }) => `${what}: ${no}, at ${channel}`,
    () => ask(stage, order),
  );
  return readRouted(stage, payment.payment_no);
}

/** @returns what heals it; it is healed at the end of the demo in any case */
async function breakPayPal({ paypalUrl, undo }: Stage, story: Story): Promise<() => Promise<void>> {
  const faults = `${paypalUrl}/_control/faults`;
  const clear = () => fetch(faults, { method: 'DELETE' });
  undo.add(clear);
  await askSandbox(faults, { match: { operation: 'create_order' }, fault: 'rate_limit', probability: 1 });
  story.line(undefined, 'PayPal answers 429 to every new order from now on');
  return async () => {
    await clear();
    undo.delete(clear);
    story.line(undefined, 'PayPal is healed; nobody tells Holdfast');
  };
}

/** Orders that come while nobody knows yet that the channel is down. */
function rescue(stage: Stage, story: Story, order: Order): Promise<readonly RoutedPayment[]> {
  return story.step(
    ORDERS_AT_ONCE * order.amount,
    (payments) => `${payments.length} orders at once: each is at a channel that has taken it`,
    async () => {
      const created = await Promise.all(Array.from({ length: ORDERS_AT_ONCE }, () => ask(stage, order)));
      return Promise.all(created.map((payment) => untilTaken(stage, payment)));
    },
  );
}

async function untilTaken(stage: Stage, { payment_no: no }: Payment): Promise<RoutedPayment> {
  const isTaken = ({ attempts }: RoutedPayment) => attempts.some(({ outcome }) => outcome === 'accepted');
  return until(`${no} is taken`, () => readRouted(stage, no), isTaken);
}

/** What was tried for each, and that only one channel has each of them. */
async function showRescued(stage: Stage, story: Story, payments: readonly RoutedPayment[]): Promise<void> {
  const ways = payments.map(({ attempts }) =>
    attempts.map(({ channel, outcome }) => `${channel} ${outcome.replace('_', ' ')}`).join(', then '),
  );
  story.table([
    ['orders', 'what was tried'],
    ...[...new Set(ways)].map((way) => [String(ways.filter((one) => one === way).length), way]),
  ]);
  const objects = await Promise.all(
    payments.map(async (payment) => {
      const id = workflowOf(stage, payment);
      const channels: readonly ChannelName[] = ['stripe', 'paypal'];
      const books = await Promise.all(channels.map((channel) => readChannelBooks(stage, channel, id)));
      return books.reduce((sum, { objects: found }) => sum + found.length, 0);
    }),
  );
  story.check(
    objects.every((count) => count === 1) && payments.some(({ attempts }) => attempts.length > 1),
    'The channels',
    `${payments.length} orders, ${objects.reduce((a, b) => a + b, 0)} objects in the books of Stripe and PayPal`,
  );
}

/** An order that would try whether it is back is not one that it takes. */
async function isOut(stage: Stage, order: Order): Promise<boolean> {
  const decision = await quote(stage, order);
  if (decision.channel === 'paypal' && decision.probe === true) return true;
  return candidate(decision, 'paypal')?.excluded?.code === 'out_of_service';
}

/** Orders go on coming until the channel is in service again. @returns those that were sent to try it */
function comeBack(stage: Stage, story: Story, order: Order): Promise<readonly RoutedPayment[]> {
  return story.step(
    undefined,
    (probes) => `PayPal is in service again, after ${counted(probes.length, 'probe')}`,
    async () => {
      const probes: RoutedPayment[] = [];
      const endMs = Date.now() + BACK_WITHIN_MS;
      while (await isOut(stage, order)) {
        if (Date.now() > endMs) throw new Error(`PayPal was not back within ${BACK_WITHIN_MS / 1_000} s`);
        const payment = await readRouted(stage, (await ask(stage, order)).payment_no);
        if (payment.routing.probe === true) probes.push(payment);
        await sleep(PAUSE_BETWEEN_ORDERS_MS);
      }
      return probes;
    },
  );
}

async function until<T>(what: string, read: () => Promise<T>, holds: (now: T) => boolean): Promise<T> {
  const endMs = Date.now() + WAIT_MS;
  for (;;) {
    const now = await read();
    if (holds(now)) return now;
    if (Date.now() > endMs) throw new Error(`${what}: not within ${WAIT_MS / 1_000} s`);
    await sleep(POLL_MS);
  }
}
