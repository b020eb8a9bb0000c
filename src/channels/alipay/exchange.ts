/** What the verbs share: an exchange whose outcome is an answer, a decline, or a ChannelFault. */
import { ChannelFault } from '../../domain/channel';
import type { Decline } from '../../domain/channel';
import { AlipayExchangeFailure } from './client';
import type { AlipayClient, Budget, Json } from './client';
import { meaningOf } from './errors';

/** Everything a verb needs of its account. */
export interface AlipayContext {
  readonly client: AlipayClient;
  readonly currencies: ReadonlySet<string>;
  /** Where Alipay sends notifications; empty: where the application is configured to have them. */
  readonly notifyUrl: string;
  /** The account's Alipay user id (2088...); empty: the contract's own. */
  readonly sellerId: string;
  readonly multipleCaptures: boolean;
  nowSeconds(): number;
}

/** @throws ChannelFault */
export async function attempt(
  context: AlipayContext,
  method: string,
  bizContent: Json,
  budget: Budget,
): Promise<Json | Decline> {
  return meant(() => context.client.call(method, bizContent, budget, context.notifyUrl));
}

/** A failure as what it means: a decline is returned, everything else is thrown as a ChannelFault. */
export async function meant<T>(work: () => T | Promise<T>): Promise<T | Decline> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AlipayExchangeFailure)) throw error;
    const meaning = meaningOf(error.failure);
    if (meaning instanceof ChannelFault) throw meaning;
    return meaning;
  }
}

export function isDecline(value: object): value is Decline {
  return 'kind' in value && value.kind === 'declined';
}

/** A read: undefined when there is no such object. A read that is refused (a revoked key, say) tells nothing about it. */
export async function read(
  context: AlipayContext,
  method: string,
  bizContent: Json,
  budget: Budget,
): Promise<Json | undefined> {
  const node = await attempt(context, method, bizContent, budget);
  if (!isDecline(node)) return node;
  if (node.code === 'object_not_found') return undefined;
  throw new ChannelFault('maybe_executed', `read_refused:${node.code}`);
}

/** A read before anything was sent that moves money: whatever goes wrong with it, the call itself was not sent. */
export async function beforeMoney<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw error instanceof ChannelFault ? new ChannelFault('not_sent', error.reason) : error;
  });
}

/** After it: the call may have been executed, although this last read never left. */
export async function afterMoney<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw error instanceof ChannelFault ? new ChannelFault('maybe_executed', error.reason) : error;
  });
}
