/** The payment or hold that an event is appended to beside its workflow: locked, and its count of events raised. */
import type { ChannelName, World } from '../domain/channel';
import type { LateMoneyPolicy } from '../domain/late-money';
import type { RefundedRef } from '../domain/refund';
import type { Queryable } from './postgres';

export interface EventSubject {
  order_no: string;
  world: World;
  channel: ChannelName;
  channel_account_id: string;
  channel_no: string | null;
  status: string;
  notify_url: string | null;
  event_sequence: number;
  /** What its merchant wants done with money that comes late. */
  late_money: LateMoneyPolicy;
}

// The version stays: the row's state does not change, and a workflow that is at work on it loses nothing.
const nextEvent = (table: string, number: string, channelNo: string) => `
UPDATE ${table} o SET event_sequence = event_sequence + 1 FROM merchants m
WHERE o.merchant_id = $1 AND o.${number} = $2 AND m.id = o.merchant_id
RETURNING o.order_no, o.world, o.channel, o.channel_account_id, o.${channelNo} AS channel_no, o.status, o.notify_url,
  o.event_sequence, m.late_money`;

const NEXT_EVENT = {
  payment: nextEvent('payments', 'payment_no', 'channel_payment_no'),
  pre_auth: nextEvent('pre_auths', 'pre_auth_no', 'channel_pre_auth_no'),
} as const;

/** Takes the next number of the object's events, and locks its row until the transaction ends. @throws Error without such an object */
export async function nextEventOf(
  q: Queryable,
  { merchantId, kind, no }: RefundedRef,
): Promise<EventSubject> {
  const row = (await q.query<EventSubject>(NEXT_EVENT[kind], [merchantId, no])).rows[0];
  if (row === undefined) throw new Error(`there is no ${kind} ${no} of merchant ${merchantId}`);
  return row;
}
