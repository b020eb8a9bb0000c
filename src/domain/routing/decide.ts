/**
 * Which channel takes a request, and why. Four levels, each asked only when the one before has no answer:
 * the caller's own word, smart routing, the rules of the database, the default channel.
 */
import { formatMoney } from '../money';
import type { CompiledConfig, CompiledRule } from './config';
import { strategyOrder } from './config';
import { DEFAULT_CHANNEL } from './default-config';
import { exclusionOf } from './eligibility';
import { candidateOf, evaluateAll } from './evaluate';
import type { Case, Evaluated, Mutable } from './evaluate';
import { explore } from './exploration';
import { hashOf, rendezvousScore } from './hash';
import { compareOpinions, firstDifference, hasOpinion } from './strategies';
import type {
  ChannelId,
  RoutingContext,
  RoutingDecision,
  RoutingRequest,
  SkippedLevel,
  StrategyName,
} from './types';

/** What a level says; the rest of the decision is the same for all. */
type Choice = Pick<RoutingDecision, 'level' | 'reason' | 'ranked' | 'candidates'> &
  Partial<Pick<RoutingDecision, 'decidedBy' | 'ruleId' | 'explored' | 'probe' | 'allOut'>>;

/** Pure and without I/O: the same arguments and the same chance give the same decision. It never throws. */
export function decide(
  config: CompiledConfig,
  request: RoutingRequest,
  context: RoutingContext,
): RoutingDecision {
  const merchant = config.merchants.get(request.merchantId);
  const one: Case = {
    config,
    request,
    context,
    mode: merchant?.mode ?? config.policy.mode,
    numberHash: hashOf(request.number),
    accounts: config.accountsOf?.(request.world, request.merchantId),
  };
  const evaluated = evaluateAll(one);
  if (request.requestedChannel !== undefined)
    return decision(one, explicitly(request.requestedChannel, evaluated), []);
  const pool = poolOf(one, evaluated);
  const smart =
    merchant?.smart === false
      ? 'smart routing is switched off for the merchant'
      : decideSmart(one, evaluated, pool);
  if (typeof smart !== 'string') return decision(one, smart, []);
  const skippedSmart: SkippedLevel = { level: 'smart', reason: smart };
  const rules = decideByRules(one, evaluated, pool);
  if (typeof rules !== 'string') return decision(one, rules, [skippedSmart]);
  return decision(one, byDefault(evaluated, pool), [skippedSmart, { level: 'rules', reason: rules }]);
}

function decision(one: Case, choice: Choice, skipped: readonly SkippedLevel[]): RoutingDecision {
  const { config, request, context, mode, accounts } = one;
  const { level, reason, ranked, candidates } = choice;
  const channel = ranked[0] ?? DEFAULT_CHANNEL;
  const accountId = accounts?.get(channel)?.id;
  const made: Mutable<RoutingDecision> = {
    channel,
    level,
    reason,
    mode,
    candidates,
    skipped,
    ranked,
    config: { source: context.source, version: config.version },
  };
  // One by one and not by spreading, which took a tenth of a decision's time.
  if (choice.decidedBy !== undefined) made.decidedBy = choice.decidedBy;
  if (choice.ruleId !== undefined) made.ruleId = choice.ruleId;
  if (accountId !== undefined) made.accountId = accountId;
  if (request.country !== undefined) made.country = request.country;
  if (choice.explored === true) made.explored = true;
  if (choice.probe === true) made.probe = true;
  if (choice.allOut === true) made.allOut = true;
  return made;
}

/** The caller's word is taken: whether the channel can do it is told by the checks that follow, with their own codes. */
function explicitly(channel: ChannelId, evaluated: readonly Evaluated[]): Choice {
  const named = evaluated.filter((one) => one.channel.id === channel);
  const candidates = named.map((one) => candidateOf(one, one.excluded === undefined));
  return { level: 'explicit', reason: 'the request names the channel', ranked: [channel], candidates };
}

/** Who may be used: what can take the request and is in service; what is due for a probe; or, if all are out, all. */
interface Pool {
  readonly usable: readonly Evaluated[];
  readonly probe: Evaluated | undefined;
  readonly allOut: boolean;
}

function poolOf(one: Case, evaluated: readonly Evaluated[]): Pool {
  const able = evaluated.filter(({ excluded }) => excluded === undefined);
  const inService = able.filter(({ health }) => health === 'in');
  const [probe] = able.filter(({ health }) => health === 'probe').sort(betterIn(one));
  const allOut = inService.length === 0 && able.length > 0;
  return { usable: allOut ? able : inService, probe, allOut };
}

function isUsable({ excluded, health }: Evaluated, { allOut }: Pool): boolean {
  return excluded === undefined && (allOut || health === 'in');
}

function betterIn({ mode }: Case): (a: Evaluated, b: Evaluated) => number {
  const order = strategyOrder(mode);
  return (a, b) => compareOpinions(order, a.opinion, b.opinion);
}

/** A decision, or why there is none. */
function decideSmart(one: Case, evaluated: readonly Evaluated[], pool: Pool): Choice | string {
  const { usable, probe, allOut } = pool;
  const ranked = [...usable].sort(betterIn(one));
  const [best] = ranked;
  if (best === undefined) return 'no eligible channel';
  if (!hasOpinion(best.opinion)) return 'no strategy has an opinion on the channels that remain';
  const candidates = evaluated.map((each) => candidateOf(each, each === probe || isUsable(each, pool)));
  const choice: Mutable<Choice> = { level: 'smart', reason: '', ranked: [], candidates };
  if (allOut) choice.allOut = true;
  if (probe !== undefined) {
    choice.reason = `${probe.channel.id} is out of service and this request tries whether it is back`;
    choice.ranked = idsOf(moveUp(ranked, probe));
    choice.probe = true;
    return choice;
  }
  const decidedBy = decidingStrategy(one, ranked);
  const tried = exploredPlace(one, ranked.length, decidedBy);
  const other = ranked[tried];
  if (tried > 0 && other !== undefined) {
    choice.reason = `${other.channel.id} is tried instead of ${best.channel.id} to keep its score fresh`;
    choice.ranked = idsOf(moveUp(ranked, other));
    choice.explored = true;
    return choice;
  }
  const reason = reasonFor(one, best, ranked, decidedBy);
  choice.reason = allOut ? `all channels are out of service, the best is used: ${reason}` : reason;
  choice.ranked = idsOf(ranked);
  if (decidedBy !== undefined) choice.decidedBy = decidedBy;
  return choice;
}

/** Drawing rates explores by itself: on top of it a share tried at random would only cost. */
function exploredPlace(
  { config, context }: Case,
  count: number,
  decidedBy: StrategyName | undefined,
): number {
  const { learning, explorationShare } = config.policy;
  if (explorationShare <= 0 || (learning === 'thompson' && decidedBy === 'success')) return 0;
  return explore(explorationShare, count, context.random());
}

/** The strategy that sets the best apart from the one that held out longest; undefined: there is no other, or no difference. */
function decidingStrategy({ mode }: Case, [best, second]: readonly Evaluated[]): StrategyName | undefined {
  if (best === undefined || second === undefined) return undefined;
  return firstDifference(strategyOrder(mode), best.opinion, second.opinion);
}

function reasonFor(
  { config, request }: Case,
  { channel, opinion }: Evaluated,
  ranked: readonly Evaluated[],
  decidedBy: StrategyName | undefined,
): string {
  const { id } = channel;
  switch (decidedBy) {
    case 'geographic':
      return `${id} is at home in ${request.country?.code ?? 'the country'}`;
    case 'success':
      return config.policy.learning === 'thompson'
        ? `${id} has the best success rate of those drawn`
        : `${id} has the best success rate`;
    case 'cost':
      return `${id} charges least: ${formatMoney({ amount: opinion.cost ?? 0, currency: request.currency })}`;
    case 'load_balance':
      return `${id} is as good as others and takes its share by weight`;
    case undefined:
      return ranked.length < 2
        ? `${id} is the only eligible channel`
        : `${id} is as good as others and the first by name`;
  }
}

/** The rule that takes it, or why none does. Rules may name channels that are never chosen on their own. */
function decideByRules(one: Case, evaluated: readonly Evaluated[], pool: Pool): Choice | string {
  const { config, request, context, numberHash } = one;
  const fitting = config.rules.filter((rule) => fits(rule, request));
  if (fitting.length === 0) return config.rules.length === 0 ? 'there are no rules' : 'no rule fits';
  const able = fitting.filter(({ rule }) => canTake(one, rule.channel));
  const inService = able.filter(({ rule }) => context.health.stateOf(rule.channel) !== 'out');
  const allOut = inService.length === 0;
  const score = ({ rule, hash }: CompiledRule) => rendezvousScore(numberHash, hash, rule.weight);
  // Within one order the number's hash shares out by weight.
  const ranked = (allOut ? able : inService).sort(
    (a, b) => a.rule.order - b.rule.order || score(b) - score(a),
  );
  const [first] = ranked;
  if (first === undefined) return 'no rule that fits names a channel that can take it';
  const channels = [...new Set(ranked.map(({ rule }) => rule.channel))];
  const { id, channel } = first.rule;
  return {
    level: 'rules',
    reason: `rule ${id} sends it to ${channel}`,
    ranked: channels,
    candidates: evaluated.map((each) =>
      candidateOf(each, channels.includes(each.channel.id) || isUsable(each, pool)),
    ),
    ruleId: id,
    ...(allOut && { allOut }),
    ...(context.health.stateOf(channel) === 'probe' && { probe: true }),
  };
}

function fits({ rule, countries }: CompiledRule, request: RoutingRequest): boolean {
  const { merchantId, currency, minAmount, maxAmount } = rule;
  const { amount, country } = request;
  if (merchantId !== undefined && merchantId !== request.merchantId) return false;
  if (currency !== undefined && currency !== request.currency) return false;
  if (countries !== undefined && (country === undefined || !countries.has(country.code))) return false;
  return amount >= (minAmount ?? 0) && amount <= (maxAmount ?? Infinity);
}

function canTake({ config, request, context, accounts }: Case, id: ChannelId): boolean {
  const channel = config.byId.get(id);
  const question = { request, accounts, canExpress: context.canExpress, named: true };
  return channel !== undefined && exclusionOf(channel, question) === undefined;
}

/** Taken as it is: a default that cannot take the request is refused by the checks that follow, with their own codes. */
function byDefault(evaluated: readonly Evaluated[], pool: Pool): Choice {
  const candidates = evaluated.map((each) => candidateOf(each, isUsable(each, pool)));
  const reason = 'no channel was named; the default channel takes it';
  return { level: 'default', reason, ranked: [DEFAULT_CHANNEL], candidates };
}

function moveUp(ranked: readonly Evaluated[], first: Evaluated): readonly Evaluated[] {
  return [first, ...ranked.filter((each) => each !== first)];
}

function idsOf(ranked: readonly Evaluated[]): readonly ChannelId[] {
  return ranked.map(({ channel }) => channel.id);
}
