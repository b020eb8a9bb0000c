/** A connection of its own that only listens: Redis allows no other command on one that has subscribed. */
import type { Redis } from 'ioredis';

export interface Subscriber {
  /** Before `start`. @param onMessage must not throw */
  on(channel: string, onMessage: (message: string) => void): void;
  /** Connects, and again for ever after a loss. @param onReady after each connection: what was said meanwhile was missed */
  start(onReady: () => void): void;
  stop(): void;
}

export function createSubscriber(redis: Redis): Subscriber {
  const handlers = new Map<string, (message: string) => void>();
  const connection = redis.duplicate({ autoResubscribe: false });
  // The client beside it says that Redis is away.
  connection.on('error', () => undefined);
  connection.on('message', (channel: string, message: string) => handlers.get(channel)?.(message));
  return {
    on: (channel, onMessage) => void handlers.set(channel, onMessage),
    start(onReady) {
      connection.on('ready', () => {
        connection.subscribe(...handlers.keys()).then(
          () => onReady(),
          // Half a subscription would be deaf for ever: a new connection tries again.
          () => connection.disconnect(true),
        );
      });
      connection.connect().catch(() => undefined);
    },
    stop: () => connection.disconnect(),
  };
}
