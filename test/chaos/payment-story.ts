/** What is drawn before a run, so that a seed repeats it: who pays what, where, how it ends, and what goes wrong on the way. */
import { CHANNELS, FAULTS, STEPS } from './payment-town';
import type { Channel, Step } from './payment-town';

/** How a payment goes on once it is made. */
export const PLOTS = ['paid', 'refunded in part', 'refunded', 'declined', 'left alone', 'cancelled'] as const;
export type Plot = (typeof PLOTS)[number];

export interface Story {
  readonly channel: Channel;
  readonly plot: Plot;
  readonly amount: number;
  /** When it begins. */
  readonly delayMs: number;
  /** What the sandbox does to the next request of a step. */
  readonly faults: Partial<Readonly<Record<Step, string>>>;
  /** The customer's first means is no good. */
  readonly stumbles: boolean;
  /** The merchant's page sends the order twice at once. */
  readonly doubleClick: boolean;
  /** Where the customer pays once more when the order is free again. */
  readonly again?: Channel;
  /** Where a first refund ends and a second begins, of the sum that goes back; between 0 and 1. */
  readonly split: number;
}

const MIN_AMOUNT = 1_000;
const MAX_AMOUNT = 90_000;
const FAULT_SHARE = 0.7;
const STUMBLE_SHARE = 0.3;
const DOUBLE_SHARE = 0.25;
const AGAIN_SHARE = 0.5;

/** @param random from 0 up to 1; @param spreadMs the stories begin within this time */
export function drawStories(count: number, spreadMs: number, random: () => number): Story[] {
  const decks = new Map<string, string[]>();
  /** Every fault comes up once before one comes up again. */
  const deal = (channel: Channel, step: Step): string => {
    const key = `${channel} ${step}`;
    const deck = decks.get(key) ?? [];
    if (deck.length === 0) deck.push(...shuffled(FAULTS[channel], random));
    decks.set(key, deck);
    return deck.pop() ?? '';
  };
  return Array.from({ length: count }, (_, i) => {
    const channel = at(CHANNELS, i);
    const plot = at(PLOTS, Math.floor(i / CHANNELS.length));
    const struck = stepsOf(plot).filter(() => random() < FAULT_SHARE);
    const isAgain = plot !== 'paid' && plot !== 'refunded in part' && random() < AGAIN_SHARE;
    return {
      ...{ channel, plot },
      amount: MIN_AMOUNT + Math.floor(random() * (MAX_AMOUNT - MIN_AMOUNT)),
      delayMs: random() * spreadMs,
      faults: Object.fromEntries(struck.map((step) => [step, deal(channel, step)])),
      stumbles: random() < STUMBLE_SHARE,
      doubleClick: random() < DOUBLE_SHARE,
      ...(isAgain && { again: at(CHANNELS, Math.floor(random() * CHANNELS.length)) }),
      split: 0.1 + 0.8 * random(),
    };
  });
}

function stepsOf(plot: Plot): readonly Step[] {
  switch (plot) {
    case 'paid':
      return ['create', 'completion'];
    case 'refunded':
    case 'refunded in part':
      return ['create', 'completion', 'refund'];
    case 'declined':
      return STEPS.filter((step) => step !== 'refund');
    case 'left alone':
    case 'cancelled':
      return ['create', 'cancel'];
  }
}

function at<T>(list: readonly T[], index: number): T {
  return list[index % list.length] as T;
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const rest = [...list];
  return list.map(() => rest.splice(Math.floor(random() * rest.length), 1)[0] as T);
}
