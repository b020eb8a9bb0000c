/** Requests and responses that are Express's from the beginning. */
import { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerOptions } from 'node:http';
import type { Express } from 'express';

/**
 * Options of a server that makes each request and response with the prototype that Express would give it later. An object whose
 * prototype is exchanged is slow for the rest of its life: a fifth of what the frame takes of a read is lost by that.
 */
export function expressMessages({ request, response }: Pick<Express, 'request' | 'response'>): ServerOptions {
  return {
    IncomingMessage: withPrototype(IncomingMessage, request),
    ServerResponse: withPrototype(ServerResponse, response),
  };
}

/** A constructor that does what `original` does, and gives what it makes another prototype. */
function withPrototype<T extends typeof IncomingMessage | typeof ServerResponse>(
  original: T,
  prototype: object,
): T {
  // Not by Reflect.construct, whose objects are as slow as those with an exchanged prototype.
  function Message(this: object, ...given: unknown[]): void {
    Reflect.apply(original, this, given);
  }
  Message.prototype = prototype;
  return Message as unknown as T;
}
