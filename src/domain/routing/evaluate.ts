/** Every channel looked at once: can it take the request, what would it cost, what do the strategies say. */
import type { Accounts, CompiledChannel, CompiledConfig } from './config';
import { estimateFee } from './cost';
import { exclusionOf, OUT_OF_SERVICE } from './eligibility';
import type { EligibilityQuestion } from './eligibility';
import { cellWithSamples, samplesOf } from './scores';
import { opinionOf } from './strategies';
import type { Opinion, OpinionFacts } from './strategies';
import type {
  Exclusion,
  HealthState,
  RoutingCandidate,
  RoutingContext,
  RoutingMode,
  RoutingRequest,
} from './types';

/** One decision's question with all that it may look at. */
export interface Case {
  readonly config: CompiledConfig;
  readonly request: RoutingRequest;
  readonly context: RoutingContext;
  readonly mode: RoutingMode;
  readonly numberHash: number;
  readonly accounts: Accounts | undefined;
}

export interface Evaluated {
  readonly channel: CompiledChannel;
  /** Why it cannot take the request, its health aside. */
  readonly excluded: Exclusion | undefined;
  /** `in` for what is excluded anyway. */
  readonly health: HealthState;
  readonly feeMinor: number | undefined;
  readonly faultRate: number | undefined;
  readonly opinion: Opinion;
}

const NO_OPINION: Opinion = {
  ...{ geographic: undefined, success: undefined, cost: undefined, load_balance: undefined },
};

export function evaluateAll(one: Case): readonly Evaluated[] {
  const { config, request, context, accounts, numberHash } = one;
  const question = { request, accounts, canExpress: context.canExpress, named: false };
  const { random } = context;
  const facts = { request, numberHash, learning: config.policy.learning, random };
  return config.channels.map((channel) => evaluate(one, channel, question, facts));
}

function evaluate(
  { request, context, accounts }: Case,
  channel: CompiledChannel,
  question: EligibilityQuestion,
  facts: OpinionFacts,
): Evaluated {
  const { id } = channel;
  const excluded = exclusionOf(channel, question);
  const feeMinor = estimateFee(channel.fees, request, accounts?.get(id)?.id);
  const cell = cellWithSamples(context.scores, id, request);
  const faultRate = cell && cell.faults / samplesOf(cell);
  if (excluded !== undefined) {
    return { channel, excluded, health: 'in', feeMinor, faultRate, opinion: NO_OPINION };
  }
  const opinion = opinionOf(channel, cell, feeMinor, facts);
  const health = context.health.stateOf(id);
  return { channel, excluded, health, feeMinor, faultRate, opinion };
}

/** As it is stored. @param isUsable whether it could take this request, its health and the probes considered */
export function candidateOf(evaluated: Evaluated, isUsable: boolean): RoutingCandidate {
  const { channel, feeMinor, faultRate, opinion } = evaluated;
  const candidate: Mutable<RoutingCandidate> = { channel: channel.id, eligible: isUsable };
  if (isUsable) candidate.scores = opinion;
  else candidate.excluded = evaluated.excluded ?? OUT_OF_SERVICE;
  if (feeMinor !== undefined) candidate.feeMinor = feeMinor;
  if (faultRate !== undefined) candidate.faultRate = fourDigits(faultRate);
  return candidate;
}

/** While it is put together. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** For people and for the size of what is stored; never compared by. */
function fourDigits(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
