/** A process that decides: 20 channels, 50 rules, 8 merchants of all modes, full explanations; nothing but memory. */
import { compileConfig } from '../src/domain/routing/config';
import { decide } from '../src/domain/routing/decide';
import { DEFAULT_HEALTH_LIMITS } from '../src/domain/routing/health';
import { createHealthBook } from '../src/domain/routing/health-book';
import { scoreViewOf } from '../src/domain/routing/scores';
import type { ScoreRow } from '../src/domain/routing/scores';
import { ROUTING_MODES } from '../src/domain/routing/types';
import type {
  ChannelSettings,
  FeeRule,
  MerchantRouting,
  RoutingAccount,
  RoutingConfig,
  RoutingContext,
  RoutingRequest,
  RoutingRule,
} from '../src/domain/routing/types';
import { seededRandom } from '../dev/seeded-random';
import { note } from '../dev/terminal';
import type { Series } from './report';
import { quantile } from './stats';
import { serve } from './webhooks-child';

const CHANNELS = 20;
const RULES = 50;
const REQUESTS = 10_000;
const CURRENCIES = ['USD', 'EUR', 'GBP', 'JPY', 'CNY'];
const COUNTRIES = ['US', 'DE', 'FR', 'GB', 'JP', 'CN', 'BR', 'SG'];

export interface DecisionPlan {
  readonly rounds: number;
  /** Of one round. */
  readonly decisions: number;
}

/** @returns decisions per second, and the time below which 99 % of them stay */
function measure({ rounds, decisions }: DecisionPlan): Series[] {
  const config = compileConfig(configOf(), { mode: 'balanced', learning: 'off', explorationShare: 0.05 });
  const requests = requestsOf();
  const context = contextOf();
  const requestAt = (n: number) => requests[n % REQUESTS] as RoutingRequest;
  const levels = new Map<string, number>();
  let largest = 0;
  for (const request of requests) {
    const decision = decide(config, request, context);
    levels.set(decision.level, (levels.get(decision.level) ?? 0) + 1);
    largest = Math.max(largest, JSON.stringify(decision).length);
  }
  const shares = [...levels].map(([level, count]) => `${level} ${((count * 100) / REQUESTS).toFixed(0)} %`);
  note(`${CHANNELS} channels, ${RULES} rules; levels: ${shares.join(', ')}; the largest: ${largest} bytes`);
  const rates: number[] = [];
  const p99s: number[] = [];
  // One more to warm up.
  for (let round = 0; round <= rounds; round += 1) {
    const startedAt = performance.now();
    for (let n = 0; n < decisions; n += 1) decide(config, requestAt(n), context);
    const perSecond = (decisions * 1_000) / (performance.now() - startedAt);
    // Timed one by one apart, since looking at the clock takes time too.
    const p99 = quantile(
      timesOf(decisions, (n) => decide(config, requestAt(n), context)),
      0.99,
    );
    if (round === 0) continue;
    rates.push(perSecond);
    p99s.push(p99);
    note(
      `round ${round} of ${rounds}: ${perSecond.toFixed(0)} decisions/s, 99 % within ${(p99 * 1_000).toFixed(1)} µs`,
    );
  }
  return [
    { name: 'decisions', unit: 'per second', ours: rates, goal: { valueAtLeast: 100_000 } },
    { name: 'decision_p99', unit: 'ms', ours: p99s, goal: { valueAtMost: 0.2 } },
  ];
}

function timesOf(count: number, work: (n: number) => unknown): number[] {
  const times: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const startedAt = performance.now();
    work(n);
    times.push(performance.now() - startedAt);
  }
  return times;
}

const channelOf = (n: number) => `channel-${String(n).padStart(2, '0')}`;
const range = (count: number) => Array.from({ length: count }, (_, n) => n);
const at = <T>(list: readonly T[], n: number) => list[n % list.length] as T;

/** What a large platform might have configured. */
function configOf(): RoutingConfig {
  return {
    version: 1,
    channels: range(CHANNELS).map(settingsOf),
    fees: range(CHANNELS).flatMap(feesOf),
    rules: range(RULES).map(ruleOf),
    merchants: range(8).map(merchantOf),
    accounts: range(CHANNELS).map(accountOf),
  };
}

function settingsOf(n: number): ChannelSettings {
  return {
    id: channelOf(n),
    enabled: n !== 7,
    automatic: n !== 13,
    // A third takes some currencies only, a fourth some countries only.
    ...(n % 3 === 0 && { currencies: CURRENCIES.filter((_, place) => place !== n % CURRENCIES.length) }),
    ...(n % 4 === 0 && { countries: ['US', 'EEA', at(COUNTRIES, n)] }),
    amounts: { USD: { min: 50, max: 10_000_000 }, EUR: { min: 50 } },
    weight: 10 + n,
    preAuth: n % 2 === 0,
    multipleCaptures: n % 5 === 0,
    home: { [at(COUNTRIES, n)]: 50 + (n % 4) * 10, EEA: 30 },
  };
}

function feesOf(n: number): FeeRule[] {
  const channel = channelOf(n);
  const basisPoints = 60 + n * 15;
  return [
    { id: `${channel}/*`, channel, basisPoints, fixedMinor: 0 },
    ...CURRENCIES.map((currency) => ({
      ...{ id: `${channel}/${currency}`, channel, currency, basisPoints, fixedMinor: 20 + n },
    })),
    { id: `${channel}/eea`, channel, country: 'EEA', basisPoints: basisPoints - 20, fixedMinor: 25 },
  ];
}

function ruleOf(n: number): RoutingRule {
  return {
    id: `rule-${n}`,
    order: Math.floor(n / 2),
    enabled: true,
    // The last fits everything, so that it is reached past all others.
    ...(n < RULES - 1 && {
      currency: at(CURRENCIES, n),
      country: at(COUNTRIES, n),
      minAmount: 1_000 * n,
      maxAmount: 1_000 * n + 20_000,
    }),
    channel: channelOf(n % CHANNELS),
    weight: 1 + (n % 10),
  };
}

/** Two of each mode; the last two are routed by the rules. */
function merchantOf(n: number): MerchantRouting {
  return { merchantId: `merchant-${n}`, mode: at(ROUTING_MODES, n), ...(n >= 6 && { smart: false }) };
}

function accountOf(n: number): RoutingAccount {
  return { id: `account-${n}`, channel: channelOf(n), world: 'live', merchantId: null, contract: {} };
}

function requestsOf(): readonly RoutingRequest[] {
  const random = seededRandom(42);
  const pick = <T>(list: readonly T[]) => at(list, Math.floor(random() * list.length));
  return range(REQUESTS).map((n) => ({
    merchantId: `merchant-${n % 8}`,
    world: 'live',
    number: `PY20260101${String(n).padStart(14, '0')}`,
    operation: n % 5 === 0 ? 'pre_auth' : 'payment',
    amount: 100 + Math.floor(random() * 100_000),
    currency: pick(CURRENCIES),
    // One in ten comes without a country.
    ...(n % 10 > 0 && { country: { code: pick(COUNTRIES), source: 'ip' } as const }),
  }));
}

/** An hour's scores of every cell, and one channel that is out of service. */
function contextOf(): RoutingContext {
  const rows = range(CHANNELS).flatMap((n) =>
    CURRENCIES.flatMap((currency) => COUNTRIES.map((country) => scoresOf(n, currency, country))),
  );
  const book = createHealthBook({
    ...DEFAULT_HEALTH_LIMITS,
    probeIntervalMs: Infinity,
    probeEvery: Infinity,
  });
  book.update(channelOf(3), { buckets: [bucketOf(1_000)], faultsInRow: 20, answersInRow: 0 }, 1_500);
  const random = seededRandom(7);
  return { scores: scoreViewOf(rows), health: book.viewAt(2_000), source: 'memory', random };
}

function scoresOf(n: number, currency: string, country: string): ScoreRow {
  const counts = { successes: 900 + n * 4, faults: 5 + (n % 7) * 8, declines: 40 };
  const answered = counts.successes + counts.declines;
  return { channel: channelOf(n), currency, country, ...counts, answered, latencySumMs: answered * 300 };
}

function bucketOf(atMs: number) {
  return { atMs, successes: 0, faults: 20, declines: 0, latencySumMs: 0 };
}

const calls = { measure };
export type DecisionCalls = typeof calls;

serve(calls);
