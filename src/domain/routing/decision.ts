/** Which channel takes an order, and why. Explicit choice or the default; the strategies join in this folder. */
import type { ChannelName } from '../channel';

export const DEFAULT_CHANNEL: ChannelName = 'stripe';

export interface RoutingDecision {
  readonly channel: ChannelName;
  /** `explicit`: the caller named it; `default`: nothing else had an opinion. */
  readonly level: 'explicit' | 'default';
  readonly reason: string;
}

export function decideChannel(requested: ChannelName | undefined): RoutingDecision {
  return requested === undefined
    ? {
        channel: DEFAULT_CHANNEL,
        level: 'default',
        reason: 'no channel was named; the default channel takes it',
      }
    : { channel: requested, level: 'explicit', reason: 'the request names the channel' };
}
