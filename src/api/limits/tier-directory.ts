/**
 * What each merchant may ask, as one process knows it: a copy in memory, before it Redis, before that the database. A change
 * is told over Redis at once. What was not told (Redis away, its teller dead) every process finds within seconds in the
 * database's audit, and what Redis has of it is removed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_TIERS, mergeOverrides } from '../../domain/limits/tiers';
import type { TierLimits, TierName } from '../../domain/limits/tiers';
import type { Logger } from '../../observability/logger';
import { CACHE_SECONDS, EVERY_MERCHANT } from '../../redis/merchant-tier';
import type { MerchantTierCache, OwnLimits } from '../../redis/merchant-tier';
import type { Subscriber } from '../../redis/subscriber';
import { readLimitChanges } from '../../stores/admin-audit';
import type { Queryable } from '../../stores/postgres';
import { limitsOfRow, overridesOfRow, readMerchantLimits, readTiers } from '../../stores/tiers';
import { createCopies } from './copies';
import type { Copies } from './copies';

const CHECK_MS = 3_000;
/** A change is noted some time before it is committed: each look begins so much earlier than the last one ended. */
const LATE_COMMIT_SECONDS = 30;
/** A request waits for no answer longer than this: it goes by what was known. */
const REDIS_LIMIT_MS = 250;
const DATABASE_LIMIT_MS = 1_000;
const RETRY_MS = 1_000;
const MAX_MERCHANTS = 10_000;
/** The tiers are one thing, loaded whole. */
const ALL = 'all';

export interface MerchantTier {
  readonly tier: TierName;
  /** The tier's numbers with the merchant's own in their place. The same object while nothing changes. */
  readonly limits: TierLimits;
}

export interface TierDirectory {
  /** From memory; undefined when there is no answer without asking. */
  known(merchantId: string): MerchantTier | undefined;
  /** From memory as a rule. Never rejects: without Redis and database it is what was last known, else the starter tier. */
  limitsOf(merchantId: string): Promise<MerchantTier>;
  /** Tells everybody of a committed change, of a merchant or (EVERY_MERCHANT) of a tier. Never rejects. */
  changed(merchantId: string): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

export interface TierDirectoryDeps {
  readonly db: Queryable;
  readonly cache: MerchantTierCache;
  /** Of its own: the directory starts and stops it. */
  readonly subscriber: Subscriber;
  readonly log: Logger;
  /** Milliseconds of a clock that only goes forwards. */
  readonly now: () => number;
}

type Tiers = Readonly<Record<TierName, TierLimits>>;

const STARTER: OwnLimits = { tier: 'starter', overrides: {} };

export function createTierDirectory(deps: TierDirectoryDeps): TierDirectory {
  const { cache, subscriber, log } = deps;
  const tiers = createTiers(deps);
  const merchants = createMerchants(deps);
  const merge = createMerge();
  const stopping = new AbortController();
  let checking: Promise<void> = Promise.resolve();

  async function ask(merchantId: string): Promise<MerchantTier> {
    const [own, numbers] = await Promise.all([merchants.get(merchantId), tiers.get(ALL)]);
    return merge(own, numbers);
  }

  function heard(merchantId: string): void {
    if (merchantId === EVERY_MERCHANT) tiers.expire(ALL);
    else merchants.expire(merchantId);
  }

  async function tell(merchantId: string): Promise<void> {
    if (merchantId !== EVERY_MERCHANT) await cache.replace(merchantId, await readOwn(deps.db, merchantId));
    await cache.announce(merchantId);
  }

  return {
    known(merchantId) {
      const own = merchants.fresh(merchantId);
      const numbers = tiers.fresh(ALL);
      return own === undefined || numbers === undefined ? undefined : merge(own, numbers);
    },
    limitsOf: ask,
    async changed(merchantId) {
      heard(merchantId);
      await within(DATABASE_LIMIT_MS, tell(merchantId)).catch((error: unknown) =>
        log.warn({ err: error }, 'a change of limits is not announced; the processes find it in the audit'),
      );
      // Who asked while Redis still had the old limits has taken them.
      heard(merchantId);
    },
    start() {
      cache.listen(subscriber, heard);
      subscriber.start(() => {
        tiers.expireAll();
        merchants.expireAll();
      });
      checking = checkAgainAndAgain(createCheck(deps, heard), stopping.signal);
    },
    async stop() {
      stopping.abort();
      subscriber.stop();
      await checking;
    },
  };
}

function createTiers({ db, log, now }: TierDirectoryDeps): Copies<Tiers> {
  return createCopies<Tiers>({
    load: () => within(DATABASE_LIMIT_MS, loadTiers(db)),
    fallback: DEFAULT_TIERS,
    ...{ freshMs: CACHE_SECONDS * 1000, retryMs: RETRY_MS, maxEntries: 1, now },
    onFailure: (error) => log.warn({ err: error }, 'the tiers cannot be read: those last known stand'),
  });
}

async function loadTiers(db: Queryable): Promise<Tiers> {
  const rows = (await readTiers(db)).map((row) => [row.name, limitsOfRow(row)]);
  return { ...DEFAULT_TIERS, ...(Object.fromEntries(rows) as Partial<Tiers>) };
}

function createMerchants({ db, cache, log, now }: TierDirectoryDeps): Copies<OwnLimits> {
  return createCopies<OwnLimits>({
    async load(merchantId) {
      const cached = await within(REDIS_LIMIT_MS, cache.read(merchantId)).catch(() => undefined);
      if (cached !== undefined) return cached;
      const own = await within(DATABASE_LIMIT_MS, readOwn(db, merchantId));
      // Nobody waits for it: without it the next process asks the database too.
      cache.fill(merchantId, own).catch(() => undefined);
      return own;
    },
    fallback: STARTER,
    ...{ freshMs: CACHE_SECONDS * 1000, retryMs: RETRY_MS, maxEntries: MAX_MERCHANTS, now },
    onFailure: (error) =>
      log.warn({ err: error }, "a merchant's limits cannot be read: those last known stand"),
  });
}

async function readOwn(db: Queryable, merchantId: string): Promise<OwnLimits> {
  const row = await readMerchantLimits(db, merchantId);
  return row === undefined ? STARTER : { tier: row.tier, overrides: overridesOfRow(row) };
}

/** Merges once for as long as neither the merchant's own limits nor the tiers are exchanged. */
function createMerge(): (own: OwnLimits, tiers: Tiers) => MerchantTier {
  const merged = new WeakMap<OwnLimits, { readonly tiers: Tiers; readonly answer: MerchantTier }>();
  return (own, tiers) => {
    const known = merged.get(own);
    if (known?.tiers === tiers) return known.answer;
    const answer = { tier: own.tier, limits: mergeOverrides(tiers[own.tier], own.overrides) };
    merged.set(own, { tiers, answer });
    return answer;
  };
}

/** One look at what was changed since the last one. @returns a function that rejects when not all of it could be done */
function createCheck(
  { db, cache, now }: TierDirectoryDeps,
  heard: (merchantId: string) => void,
): () => Promise<void> {
  // What Redis has is no older than it keeps it.
  let coveredUntilMs = -Infinity;
  return async () => {
    const askedAtMs = now();
    const sinceSeconds = Math.min((askedAtMs - coveredUntilMs) / 1000, CACHE_SECONDS);
    const changes = await within(DATABASE_LIMIT_MS, readLimitChanges(db, sinceSeconds + LATE_COMMIT_SECONDS));
    // First Redis, or the old limits would be read from there again.
    const forgotten = cache.forget(changes.merchantIds);
    await forgotten.catch(() => undefined);
    if (changes.tiers) heard(EVERY_MERCHANT);
    changes.merchantIds.forEach(heard);
    await forgotten;
    coveredUntilMs = askedAtMs;
  };
}

async function checkAgainAndAgain(check: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // A look that fails is made up for by a later one, which reaches as far back.
    await check().catch(() => undefined);
    await sleep(CHECK_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** @throws Error when there is no answer in time; the question itself is left to its own limits */
async function within<T>(limitMs: number, asking: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), limitMs);
  });
  return Promise.race([asking, tooLate]).finally(() => clearTimeout(timer));
}
