/** Requests, channels and configurations with something in every field, for the tests of routing. */
import { compileConfig } from '../../../src/domain/routing/config';
import type { CompiledConfig } from '../../../src/domain/routing/config';
import { decide } from '../../../src/domain/routing/decide';
import { ALL_IN_SERVICE } from '../../../src/domain/routing/health-book';
import { NO_SCORES } from '../../../src/domain/routing/scores';
import type {
  ChannelSettings,
  HealthState,
  HealthView,
  RoutingConfig,
  RoutingContext,
  RoutingDecision,
  RoutingPolicy,
  RoutingRequest,
} from '../../../src/domain/routing/types';

export const POLICY: RoutingPolicy = { mode: 'balanced', learning: 'off', explorationShare: 0 };

export const CONTEXT: RoutingContext = {
  scores: NO_SCORES,
  health: ALL_IN_SERVICE,
  source: 'memory',
  random: () => 0.5,
};

export function request(fields: Partial<RoutingRequest> = {}): RoutingRequest {
  return {
    merchantId: 'merchant-1',
    world: 'test',
    number: 'PY20250124123456abcdefgh',
    operation: 'payment',
    amount: 10_000,
    currency: 'USD',
    ...fields,
  };
}

export function channel(id: string, fields: Partial<ChannelSettings> = {}): ChannelSettings {
  return {
    id,
    enabled: true,
    automatic: true,
    amounts: {},
    weight: 100,
    preAuth: true,
    multipleCaptures: false,
    home: {},
    ...fields,
  };
}

export function configOf(
  channels: readonly ChannelSettings[],
  rest: Partial<RoutingConfig> = {},
): RoutingConfig {
  return { version: 7, channels, fees: [], rules: [], merchants: [], ...rest };
}

export function compiled(
  channels: readonly ChannelSettings[],
  rest: Partial<RoutingConfig> = {},
  policy: Partial<RoutingPolicy> = {},
): CompiledConfig {
  return compileConfig(configOf(channels, rest), { ...POLICY, ...policy });
}

/** A price without a fixed part for every currency. */
export function price(channelId: string, basisPoints: number) {
  return { id: channelId, channel: channelId, basisPoints, fixedMinor: 0 };
}

export function healthOf(states: Readonly<Record<string, HealthState>>): HealthView {
  return { stateOf: (id) => states[id] ?? 'in' };
}

export function route(
  config: CompiledConfig,
  fields: Partial<RoutingRequest> = {},
  context: Partial<RoutingContext> = {},
): RoutingDecision {
  return decide(config, request(fields), { ...CONTEXT, ...context });
}

/** Rows of a score view: so many calls of a channel, of which so many were its faults. */
export function calls(id: string, successes: number, faults: number, place: { currency?: string; country?: string } = {}) {
  return {
    ...{ channel: id, currency: 'USD', ...place, successes, faults },
    ...{ declines: 0, latencySumMs: successes * 100, answered: successes },
  };
} // prettier-ignore
