/**
 * The four strategies. Each gives a channel a score that hangs on nothing but the channel, the request and what is known of
 * it, never on the other candidates; a channel of which it has no opinion gets its neutral score. So where a strategy has no
 * opinion at all everybody ties and the next one is asked, and taking away a loser never changes the winner.
 */
import type { CompiledChannel } from './config';
import { rendezvousScore } from './hash';
import { NEUTRAL_RATE, rateStep, sampledRate, successRate } from './scores';
import type { LearningMode, RoutingRequest, ScoreCell, StrategyName, StrategyScores } from './types';

/** What the strategies say of one channel: every field is there, undefined for no opinion, so that all are of one shape. */
export type Opinion = Required<StrategyScores>;

export interface OpinionFacts {
  readonly request: RoutingRequest;
  /** hashOf(request.number), once per decision. */
  readonly numberHash: number;
  readonly learning: LearningMode;
  readonly random: () => number;
}

/** @param cell the finest with enough samples (scores.ts) @param feeMinor the estimate, where a price is known */
export function opinionOf(
  channel: CompiledChannel,
  cell: ScoreCell | undefined,
  feeMinor: number | undefined,
  { request, numberHash, learning, random }: OpinionFacts,
): Opinion {
  const { country } = request;
  const { weight } = channel.settings;
  return {
    geographic: country === undefined ? undefined : channel.home.get(country.code),
    success: rounded(learning === 'thompson' ? sampledRate(cell, random) : cell && successRate(cell)),
    cost: feeMinor,
    load_balance: rounded(weight > 0 ? rendezvousScore(numberHash, channel.hash, weight) : undefined),
  };
}

/** Before anything is compared, so that what is stored with a payment is what decided. */
function rounded(score: number | undefined): number | undefined {
  return score && Math.round(score * 1_000_000) / 1_000_000;
}

export function hasOpinion({ geographic, success, cost, load_balance }: Opinion): boolean {
  return (geographic ?? success ?? cost ?? load_balance) !== undefined;
}

/** A number to compare by under one strategy: the higher is better, also for cost. */
function keyOf(strategy: StrategyName, opinion: Opinion): number {
  switch (strategy) {
    case 'geographic':
      return opinion.geographic ?? 0;
    case 'success':
      return rateStep(opinion.success ?? NEUTRAL_RATE);
    case 'cost':
      // A price nobody knows is never the cheapest.
      return -(opinion.cost ?? Infinity);
    case 'load_balance':
      return opinion.load_balance ?? 0;
  }
}

/** Negative: `a` is better. 0: the strategies cannot tell them apart, and the order of names stays (sorting is stable). */
export function compareOpinions(order: readonly StrategyName[], a: Opinion, b: Opinion): number {
  for (const strategy of order) {
    const ofA = keyOf(strategy, a);
    const ofB = keyOf(strategy, b);
    if (ofA !== ofB) return ofA > ofB ? -1 : 1;
  }
  return 0;
}

/** The first strategy that tells two channels apart. */
export function firstDifference(
  order: readonly StrategyName[],
  a: Opinion,
  b: Opinion,
): StrategyName | undefined {
  return order.find((strategy) => keyOf(strategy, a) !== keyOf(strategy, b));
}
