/**
 * Who tries a channel that is out of service says so on `payment:router:probed`, so that all processes together try it once in
 * the interval. Nothing is kept: a process that has not heard goes by its own clock, and at worst tries it once more.
 */
import type { Redis } from 'ioredis';
import type { ChannelId } from '../domain/routing/types';
import type { Subscriber } from './subscriber';

export interface Probes {
  /** Tells everybody, this process too. Never rejects, and is waited for by nobody. */
  tell(channel: ChannelId): void;
  /** @param onProbe must not throw */
  listen(subscriber: Subscriber, onProbe: (channel: ChannelId) => void): void;
}

/** @param prefix before the name of the channel of messages, where several installations share a Redis; else empty */
export function createProbes(redis: Redis, prefix: string): Probes {
  const probed = `${prefix}payment:router:probed`;
  return {
    tell: (channel) => void redis.publish(probed, channel).catch(() => undefined),
    listen: (subscriber, onProbe) => subscriber.on(probed, onProbe),
  };
}
