/**
 * Failover within one payment or hold: a create that certainly came to nothing at its channel is tried at the next one of
 * the stored decision. Never while it may have been executed, never once its customer may have been given something to pay
 * with, never where the caller named the channel.
 */
import type { DeclineCode } from './channel';
import type { ChannelId, RoutingLevel } from './routing/types';

/** How many channels one payment or hold may try, the first included. */
export const MAX_CHANNELS_TRIED = 3;

/** What payment or hold show as their reason where no channel could be reached, and none is left to ask. */
export const UNREACHABLE_CODE = 'channel_unavailable';

/**
 * Whether another channel may take what this one declines. No card or wallet was seen yet, so most refusals speak of the
 * channel: its account, its amounts, its form. What speaks of the customer or the order holds everywhere.
 */
export const RETRIABLE_DECLINES: Readonly<Record<DeclineCode, boolean>> = {
  account_invalid: true,
  processing_error: true,
  invalid_amount: true,
  invalid_currency: true,
  invalid_request: true,
  card_declined: false,
  insufficient_funds: false,
  expired_card: false,
  authentication_required: false,
  fraud_suspected: false,
  hold_expired: false,
  invalid_state: false,
  object_not_found: false,
};

/** How a create came to nothing for certain. */
export type CreateEnd =
  | { readonly kind: 'declined'; readonly code: DeclineCode }
  /** None of its sends has reached the channel. `reason`: the fault's, short and safe to show. */
  | { readonly kind: 'not_sent'; readonly reason: string }
  /** It may have reached the channel, and reads have proved that it was not executed. */
  | { readonly kind: 'proved_absent' };

/** What is known of the object when its create has come to nothing. */
export interface FailoverScene {
  /** Of the stored decision; undefined: it has none that ranks channels. */
  readonly decision: { readonly level: RoutingLevel; readonly ranked: readonly ChannelId[] } | undefined;
  /** The channels of its creates so far, this one's included. */
  readonly tried: readonly ChannelId[];
  /** An earlier send of this create may have arrived: whatever a repeat is told, that one may have been executed. */
  readonly maybeSent: boolean;
  /** Its customer may have been given a next action. */
  readonly handedOut: boolean;
  readonly expiresAtMs: number;
  readonly nowMs: number;
}

export type StopReason =
  | 'not_retriable'
  | 'maybe_executed'
  | 'handed_out'
  | 'expired'
  | 'explicit_channel'
  | 'too_many_channels'
  | 'no_other_channel';

export type FailoverVerdict =
  /** Try the first of these that can take it. */
  | { readonly kind: 'go_on'; readonly candidates: readonly ChannelId[] }
  | { readonly kind: 'stop'; readonly reason: StopReason };

/** Pure. Whether a candidate still can take it (account, amount, capability, health) is for the caller to see. */
export function judgeFailover(end: CreateEnd, scene: FailoverScene): FailoverVerdict {
  const { decision, tried, maybeSent, handedOut, expiresAtMs, nowMs } = scene;
  if (end.kind === 'declined' && !RETRIABLE_DECLINES[end.code]) return stop('not_retriable');
  if (end.kind === 'declined' && maybeSent) return stop('maybe_executed');
  if (handedOut) return stop('handed_out');
  if (nowMs >= expiresAtMs) return stop('expired');
  if (decision?.level === 'explicit') return stop('explicit_channel');
  const untried = [...new Set(decision?.ranked ?? [])].filter((channel) => !tried.includes(channel));
  if (untried.length === 0) return stop('no_other_channel');
  return new Set(tried).size >= MAX_CHANNELS_TRIED
    ? stop('too_many_channels')
    : { kind: 'go_on', candidates: untried };
}

/**
 * Whether a create that certainly came to nothing ends its object now that nobody else can be asked. A decline does. Where
 * the channel was only away, or lost it, an object that has had no other channel waits for that one, as it was asked to; one
 * that has tried several has been patient enough.
 */
export function endsUntaken(end: CreateEnd, { tried, handedOut }: FailoverScene): boolean {
  return end.kind === 'declined' || (!handedOut && new Set(tried).size > 1);
}

/** The code under which the object fails with this end. */
export function codeOfEnd(end: CreateEnd): string {
  return end.kind === 'declined' ? end.code : UNREACHABLE_CODE;
}

function stop(reason: StopReason): FailoverVerdict {
  return { kind: 'stop', reason };
}
