/** One call to PayPal: what it refuses comes back as a decline, what proves nothing is thrown as a ChannelFault. */
import { ChannelFault } from '../../domain/channel';
import type { CallIdentity, Decline, Exchange } from '../../domain/channel';
import type { Money } from '../../domain/money';
import { toPayPalAmount } from './amounts';
import type { PayPalClient } from './client';
import { meaningOf, readFailure } from './errors';
import { requestId } from './identity';
import { minorUnits } from './order';
import { readOrder } from './wire';
import type { PayPalOrder } from './wire';

/** What every verb needs: the wire, and how long it may take in all. */
export interface Scene {
  readonly client: PayPalClient;
  readonly exchange: Exchange;
}

/** Verbs that read before they write share one exchange: the second call has what the first left over. */
export function startScene(client: PayPalClient, exchange: Exchange): Scene {
  const deadlineMs = Date.now() + exchange.timeoutMs;
  return {
    client,
    exchange: {
      get timeoutMs() {
        return Math.max(deadlineMs - Date.now(), 0);
      },
      ...(exchange.signal === undefined ? {} : { signal: exchange.signal }),
    },
  };
}

interface Call<T> {
  readonly method?: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly body?: object;
  /** Whose key the call carries: every POST has one. */
  readonly identity?: CallIdentity;
  /** `atMs`: when PayPal answered, by its own clock. */
  readonly read: (body: unknown, atMs: number) => T;
}

export async function send<T extends object>(scene: Scene, call: Call<T>): Promise<T | Decline> {
  const { method = 'GET', path, body, identity } = call;
  const reply = await scene.client.send(
    {
      method,
      path,
      ...(body === undefined ? {} : { body }),
      ...(identity === undefined ? {} : { requestId: requestId(identity) }),
    },
    scene.exchange,
  );
  const { status } = reply;
  if (status >= 200 && status < 300) return call.read(reply.body, reply.atMs);
  const meaning = meaningOf(readFailure(status, reply.body));
  if (meaning instanceof ChannelFault) throw meaning;
  return meaning;
}

export function isDecline(value: object): value is Decline {
  return 'kind' in value && value.kind === 'declined';
}

export const orderPath = (id: string, action = '') =>
  `/v2/checkout/orders/${encodeURIComponent(id)}${action === '' ? '' : `/${action}`}`;

/** @returns undefined when PayPal knows no such order, or no longer: nobody approved it for 3 hours */
export async function findOrder(scene: Scene, id: string): Promise<PayPalOrder | undefined> {
  const read = await send(scene, { path: orderPath(id), read: readOrder });
  if (!isDecline(read)) {
    if (read.id !== id) throw new ChannelFault('maybe_executed', 'another_order');
    return read;
  }
  if (read.code === 'object_not_found') return undefined;
  throw readRefused(read);
}

/** The order a call is about, before the call: without it nothing is sent, and PayPal's refusal is the answer. */
export function orderFor(scene: Scene, id: string): Promise<PayPalOrder | Decline> {
  return send(scene, { path: orderPath(id), read: readOrder });
}

/** A read that PayPal refuses (a revoked key, say) tells nothing about the object. */
export function readRefused(decline: Decline): ChannelFault {
  return new ChannelFault('maybe_executed', `read_refused:${decline.code}`);
}

export function refused(code: Decline['code'], providerCode: string): Decline {
  return { kind: 'declined', code, providerCode };
}

/** The API asks checkAmount before it writes; this is the second lock on the same door. */
export function notExpressible(money: Money): Decline {
  const isCurrency = 'refusal' in toPayPalAmount({ ...money, amount: 1000 });
  return refused(isCurrency ? 'invalid_currency' : 'invalid_amount', 'not_expressible');
}

/**
 * PayPal answers a repeated request id with what the first request made, without comparing the bodies. So every answer
 * is compared with the question; another amount or another identity means that the key did something else before.
 * @throws ChannelFault maybe_executed
 */
export function mustMatch(
  asked: Money,
  isOurs: boolean,
  got: { currency_code: string; value: string },
): void {
  const isSame = got.currency_code === asked.currency && minorUnits(got) === asked.amount;
  if (!isSame || !isOurs) throw new ChannelFault('maybe_executed', 'answer_of_another_request');
}
