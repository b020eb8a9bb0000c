/** What one process holds of every channel's health between decisions. In memory, no I/O; the clock is an argument. */
import { HEALTHY, isProbeDue, nextHealth } from './health';
import type { ChannelHealth, HealthLimits, HealthWindow, ProbeClock } from './health';
import type { ChannelId, HealthView, RoutingDecision } from './types';

export interface HealthBook {
  /** Judges a channel by its latest window. @returns its health before and after, to tell people of a change */
  update(
    channel: ChannelId,
    window: HealthWindow,
    nowMs: number,
  ): { readonly before: ChannelHealth; readonly after: ChannelHealth };
  /** For decisions made now. */
  viewAt(nowMs: number): HealthView;
  /**
   * Every decision that is used, in the same turn as it was made: a probe that was sent is not due again, and what a channel
   * that is out has missed is counted. A quote, which sends nothing, is not noted.
   */
  note(decision: Pick<RoutingDecision, 'channel' | 'probe' | 'candidates'>, nowMs: number): void;
  /** Another process is trying it: what this one has missed goes on counting, so that of all requests 1 % probe. */
  probedElsewhere(channel: ChannelId, nowMs: number): void;
}

interface Entry {
  health: ChannelHealth;
  clock: ProbeClock;
}

export function createHealthBook(limits: HealthLimits): HealthBook {
  const entries = new Map<ChannelId, Entry>();

  function update(channel: ChannelId, window: HealthWindow, nowMs: number) {
    const entry = entries.get(channel) ?? { health: HEALTHY, clock: { lastMs: 0, missed: 0 } };
    const before = entry.health;
    const after = nextHealth(before, window, nowMs, limits);
    if (before.phase === 'in' && after.phase === 'out') entry.clock = { lastMs: nowMs, missed: 0 };
    entry.health = after;
    entries.set(channel, entry);
    return { before, after };
  }

  return {
    update,
    viewAt: (nowMs) => ({
      stateOf(channel) {
        const entry = entries.get(channel);
        if (entry === undefined || entry.health.phase === 'in') return 'in';
        return isProbeDue(entry.clock, nowMs, limits) ? 'probe' : 'out';
      },
    }),
    note(decision, nowMs) {
      if (decision.probe === true) {
        const entry = entries.get(decision.channel);
        if (entry !== undefined) entry.clock = { lastMs: nowMs, missed: 0 };
      }
      for (const { channel, excluded } of decision.candidates) {
        const entry = excluded?.code === 'out_of_service' ? entries.get(channel) : undefined;
        if (entry !== undefined) entry.clock = { ...entry.clock, missed: entry.clock.missed + 1 };
      }
    },
    probedElsewhere(channel, nowMs) {
      const entry = entries.get(channel);
      if (entry !== undefined) entry.clock = { ...entry.clock, lastMs: nowMs };
    },
  };
}

/** Everything is in service: what a process knows that has just started. */
export const ALL_IN_SERVICE: HealthView = { stateOf: () => 'in' };
