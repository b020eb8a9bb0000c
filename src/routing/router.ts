/**
 * The one object of a process that decides where an order goes. A decision looks at memory alone: at the configuration
 * (snapshot.ts), and at what was observed of the channels (observations.ts); both are kept up to date beside it.
 */
import { checkHoldAmount, checkPaymentAmount } from '../channels/registry';
import { CHANNELS } from '../domain/channel';
import type { ChannelContract, ChannelName, World } from '../domain/channel';
import { feesOf } from '../domain/fee-report';
import type { PaidOrder } from '../domain/fee-report';
import type { Money } from '../domain/money';
import type { CompiledConfig } from '../domain/routing/config';
import { decide } from '../domain/routing/decide';
import { isSeenSince } from '../domain/routing/health';
import type { HealthLimits } from '../domain/routing/health';
import { createHealthBook } from '../domain/routing/health-book';
import type {
  ChannelId,
  ConfigSource,
  HealthView,
  RoutingAccount,
  RoutingContext,
  RoutingDecision,
  RoutingMode,
  RoutingRequest,
} from '../domain/routing/types';
import type { Probes } from '../redis/probes';
import type { SuccessRates } from '../redis/success-rates';
import type { Subscriber } from '../redis/subscriber';
import { createObservations } from './observations';
import type { Observation } from './observations';
import { createSnapshotKeeper } from './snapshot';
import type { SnapshotDeps } from './snapshot';

export interface RouterDeps extends SnapshotDeps {
  readonly rates: SuccessRates;
  /** Tells the others that this process tries a channel that is out. */
  readonly probes: Probes;
  readonly subscriber: Subscriber;
  readonly limits: HealthLimits;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Told of each decision for a request that will be sent. Never throws. */
  readonly onDecision?: ((decision: RoutingDecision) => void) | undefined;
}

export interface RouterStatus {
  readonly source: ConfigSource;
  /** 0: the built-in configuration. */
  readonly version: number;
  /** Of what the database has, which cannot be used: the one before stays. */
  readonly unusableVersion?: number;
  readonly outOfService: readonly ChannelId[];
}

/** What came of a call, and under which account. */
export interface AccountObservation extends Observation {
  /** Absent: one that is shared. */
  readonly accountId?: string;
}

/** Whose account, at which channel. */
export interface AccountQuestion {
  readonly merchantId: string;
  readonly world: World;
  readonly channel: ChannelId;
}

export interface Router {
  /** For a request that will be sent: no I/O, never throws. What it learns (a probe is due no more) is noted at once. */
  decide(request: RoutingRequest): RoutingDecision;
  /** What would be decided, under another mode if one is named. Explores and probes nothing, and nothing is noted. */
  quote(request: RoutingRequest, mode?: RoutingMode): RoutingDecision;
  /** The account a new object of this merchant uses there. undefined: there is none, or accounts are not known. */
  accountFor(question: AccountQuestion): RoutingAccount | undefined;
  /** Whether accounts are known: they are not with the built-in configuration. */
  knowsAccounts(): boolean;
  isOutOfService(channel: ChannelId): boolean;
  /** What was paid costs at the prices of the present configuration, and what it would cost at the default channel. */
  feesOf(paid: PaidOrder): { fee: number; defaultFee: number };
  /**
   * What came of a call to a channel. Under a merchant's own account it says more of that account (a key that was revoked)
   * than of the channel, which is everybody's: it does not count. Never throws and never waits.
   */
  observe(seen: AccountObservation): void;
  /** After a committed change of what routing goes by: reads it, and tells everybody. @throws when that cannot be done now */
  changed(): Promise<void>;
  /** Waits a moment for a first configuration where there is none yet. Never rejects. */
  ready(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
  status(): RouterStatus;
}

/** Names of channels that no adapter speaks for are taken by nobody. */
export function channelNamed(id: ChannelId): ChannelName | undefined {
  return CHANNELS.find((name) => name === id);
}

export function createRouter(deps: RouterDeps): Router {
  const { log, now, random, limits, subscriber } = deps;
  const keeper = createSnapshotKeeper(deps);
  let book = createHealthBook(limits);
  const isOut = (channel: ChannelId) => book.viewAt(now()).stateOf(channel) !== 'in';
  const observations = createObservations({
    rates: deps.rates,
    now,
    onSeen: judge,
    onForgotten: () => (book = createHealthBook(limits)),
  });

  function judge(channels: Iterable<ChannelId>): void {
    for (const channel of channels) {
      const { before, after } = book.update(channel, observations.windowOf(channel), now());
      if (before.phase === after.phase) continue;
      if (after.phase === 'out') log.warn({ channel, cause: after.cause }, 'a channel is out of service');
      else log.info({ channel }, 'a channel is back in service');
    }
  }

  function contextOf({ operation }: RoutingRequest, health: HealthView): RoutingContext {
    const { source } = keeper.current();
    return { scores: observations.scores(), health, source, random, canExpress: CAN_EXPRESS[operation] };
  }

  /**
   * A probe under a merchant's own account would tell nobody anything. Where nobody else tries a channel for so long that
   * what was seen of it is over, such an account is asked again: its payment goes on to the next channel if need be.
   */
  function sharedProbes({ world, merchantId }: RoutingRequest, health: HealthView): HealthView {
    const accountAt = (channel: ChannelId) =>
      keeper.current().config.accountsOf?.(world, merchantId).get(channel);
    return {
      stateOf(channel) {
        const state = health.stateOf(channel);
        if (state === 'in' || !isOwn(accountAt(channel))) return state;
        return isSeenSince(observations.windowOf(channel), now() - limits.windowMs) ? 'out' : 'in';
      },
    };
  }

  return {
    decide(request) {
      const nowMs = now();
      const context = contextOf(request, sharedProbes(request, book.viewAt(nowMs)));
      const decision = decide(keeper.current().config, request, context);
      book.note(decision, nowMs);
      if (decision.probe === true) deps.probes.tell(decision.channel);
      deps.onDecision?.(decision);
      return decision;
    },
    quote(request, mode) {
      const health = sharedProbes(request, quietly(book.viewAt(now())));
      return decide(asked(keeper.current().config, request, mode), request, contextOf(request, health));
    },
    accountFor: ({ merchantId, world, channel }) =>
      keeper.current().config.accountsOf?.(world, merchantId).get(channel),
    knowsAccounts: () => keeper.current().config.accountsOf !== undefined,
    isOutOfService: isOut,
    feesOf: (paid) => feesOf(keeper.current().config, paid),
    observe({ accountId, ...seen }) {
      const { platformAccounts } = keeper.current().config;
      if (accountId === undefined || platformAccounts?.has(accountId) !== false) observations.note(seen);
    },
    changed: () => keeper.changed(),
    ready: () => keeper.ready(),
    start() {
      deps.cache.listen(subscriber, (version) => keeper.heard(version));
      deps.rates.listen(subscriber, () => observations.news());
      deps.probes.listen(subscriber, (channel) => book.probedElsewhere(channel, now()));
      subscriber.start(() => {
        keeper.heard();
        observations.news();
      });
      keeper.start();
      observations.start();
    },
    async stop() {
      subscriber.stop();
      await Promise.all([keeper.stop(), observations.stop()]);
    },
    status() {
      const { source, config, unusableVersion } = keeper.current();
      const outOfService = config.channels.map(({ id }) => id).filter(isOut);
      const unusable = unusableVersion === undefined ? {} : { unusableVersion };
      return { source, version: config.version, ...unusable, outOfService };
    },
  };
}

const isOwn = (account: RoutingAccount | undefined) => (account?.merchantId ?? null) !== null;

type CanExpress = NonNullable<RoutingContext['canExpress']>;

const CAN_EXPRESS: Readonly<Record<RoutingRequest['operation'], CanExpress>> = {
  payment: canExpress(checkPaymentAmount),
  pre_auth: canExpress(checkHoldAmount),
};

/** The very checks that refuse a request: what they would refuse is not chosen. */
function canExpress(
  check: (channel: ChannelName, money: Money, contract: ChannelContract) => unknown,
): CanExpress {
  return (id, money, contract) => {
    const channel = channelNamed(id);
    return channel !== undefined && check(channel, money, contract) === undefined;
  };
}

/** A channel that waits for a probe does not wait for a quote. */
function quietly(health: HealthView): HealthView {
  return { stateOf: (channel) => (health.stateOf(channel) === 'in' ? 'in' : 'out') };
}

/** The same configuration for a question of "what if". */
function asked(
  config: CompiledConfig,
  { merchantId }: RoutingRequest,
  mode: RoutingMode | undefined,
): CompiledConfig {
  const quiet = { ...config, policy: { ...config.policy, explorationShare: 0 } };
  if (mode === undefined) return quiet;
  const merchant = { ...config.merchants.get(merchantId), merchantId, mode };
  return { ...quiet, merchants: new Map([[merchantId, merchant]]) };
}
