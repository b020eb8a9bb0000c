/** The events of a transition as they are appended to the object's: numbered on from those it has. */
import type { ChannelName } from '../domain/channel';
import type { ObjectEvent } from '../stores/outbox';
import type { ActivityDeps } from './deps';

type Extra = ObjectEvent['extra'];

interface Transition {
  readonly next: {
    readonly orderNo: string;
    readonly channel: ChannelName;
    readonly status: string;
    readonly amount: number;
    readonly currency: string;
  };
  readonly events: readonly { readonly type: ObjectEvent['type']; readonly extra: Extra }[];
}

/**
 * @param row the object's, as the transition was computed from
 * @param numbers the channel's numbers of the object; null where it has none yet
 */
export function transitionEvents(
  deps: ActivityDeps,
  row: { readonly event_sequence: number; readonly notify_url: string | null },
  subject: Pick<ObjectEvent, 'merchantId' | 'objectKind' | 'objectNo' | 'paymentNo'>,
  { next, events }: Transition,
  numbers: Readonly<Record<string, string | null>>,
): ObjectEvent[] {
  const known = Object.entries(numbers).filter((entry): entry is [string, string] => entry[1] !== null);
  return events.map((event, index) => ({
    ...subject,
    orderNo: next.orderNo,
    sequence: row.event_sequence + index + 1,
    type: event.type,
    status: next.status,
    amount: next.amount,
    currency: next.currency,
    at: new Date(deps.now()),
    extra: { channel: next.channel, ...Object.fromEntries(known), ...event.extra },
    notifyUrl: row.notify_url,
    defaultMaxRetries: deps.defaultMaxRetries,
  }));
}
