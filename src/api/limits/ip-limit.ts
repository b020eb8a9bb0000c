/**
 * Requests without a valid key by address. They are counted in this process at once and in Redis for all of them, off the
 * path; an address that has reached the limit is refused before anything is looked up for it.
 */
import type { AddressCounter } from '../../redis/address-counter';
import { BUCKET_MS, BUCKETS } from '../../redis/address-counter';
import type { AddressOf } from './client-address';

/** Beyond them the oldest is forgotten: Redis remembers those that matter. */
const MAX_ADDRESSES = 20_000;
/** One question to Redis for so many hundredths of the limit: a flood must not become one of commands. */
const REPORTED_SHARE = 0.01;

interface Visitor {
  /** Counts by ten seconds. */
  readonly counts: Map<number, number>;
  unreported: number;
  blockedUntilMs: number;
}

export interface IpLimitDeps {
  readonly counter: AddressCounter;
  readonly addressOf: AddressOf;
  readonly perMinute: number;
  /** Each may let through its share while Redis is away. */
  readonly processes: () => number;
  readonly nowMs: () => number;
}

export interface IpLimit {
  /** @returns milliseconds for which this address is refused; 0 when it is not */
  blockedMs(req: Parameters<AddressOf>[0]): number;
  /** Notes a request that came without a valid key. Never throws and never waits. */
  note(req: Parameters<AddressOf>[0]): void;
}

export function createIpLimit({ counter, addressOf, perMinute, processes, nowMs }: IpLimitDeps): IpLimit {
  const visitors = new Map<string, Visitor>();
  const reportAfter = Math.max(1, Math.floor(perMinute * REPORTED_SHARE));
  /** As long as nobody is blocked, no address is even read. */
  let lastBlockEndsAtMs = 0;

  function visitorAt(address: string): Visitor {
    const known = visitors.get(address);
    if (known !== undefined) return known;
    const [oldest] = visitors.size < MAX_ADDRESSES ? [] : visitors.keys();
    if (oldest !== undefined) visitors.delete(oldest);
    const visitor = { counts: new Map<number, number>(), unreported: 0, blockedUntilMs: 0 };
    visitors.set(address, visitor);
    return visitor;
  }

  function block(visitor: Visitor, forMs: number): void {
    visitor.blockedUntilMs = nowMs() + forMs;
    lastBlockEndsAtMs = Math.max(lastBlockEndsAtMs, visitor.blockedUntilMs);
  }

  async function report(address: string, visitor: Visitor): Promise<void> {
    const count = visitor.unreported;
    visitor.unreported = 0;
    const { sum, lessInMs } = await counter.add(address, count).catch(() => inProcess(visitor));
    if (sum >= perMinute) block(visitor, lessInMs);
  }

  /** What all processes have seen if the others have seen as much as this one. */
  function inProcess(visitor: Visitor) {
    const { sum, lessInMs } = sumOf(visitor.counts, nowMs());
    return { sum: sum * processes(), lessInMs };
  }

  return {
    blockedMs(req) {
      const now = nowMs();
      if (now >= lastBlockEndsAtMs) return 0;
      const address = addressOf(req);
      const visitor = address === undefined ? undefined : visitors.get(address);
      return Math.max(0, (visitor?.blockedUntilMs ?? 0) - now);
    },
    note(req) {
      const address = addressOf(req);
      if (address === undefined) return;
      const visitor = visitorAt(address);
      const index = Math.floor(nowMs() / BUCKET_MS);
      visitor.counts.set(index, (visitor.counts.get(index) ?? 0) + 1);
      visitor.unreported += 1;
      const { sum, lessInMs } = sumOf(visitor.counts, nowMs());
      if (sum >= perMinute) block(visitor, lessInMs);
      if (visitor.unreported >= reportAfter) void report(address, visitor);
    },
  };
}

/** The arithmetic of the script in redis/address-counter.ts. */
function sumOf(counts: Map<number, number>, nowMs: number) {
  const index = Math.floor(nowMs / BUCKET_MS);
  let sum = 0;
  let oldest = index;
  for (const [at, count] of counts) {
    if (at <= index - BUCKETS) counts.delete(at);
    else {
      sum += count;
      oldest = Math.min(oldest, at);
    }
  }
  return { sum, lessInMs: (oldest + BUCKETS) * BUCKET_MS - nowMs };
}
