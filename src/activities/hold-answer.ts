/** What an answer makes of a hold and of the call it answers, and the quick way to write it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HoldAnswer } from '../domain/channel';
import {
  causeOf,
  EXPIRY_COMMAND_ID,
  LATE_RELEASE_COMMAND_ID,
  resultOf,
  settledBy,
} from '../domain/channel-call';
import type { ChannelCall } from '../domain/channel-call';
import type { CommandResult } from '../domain/commands';
import { applyAttentionMet, applyDecline, applySnapshot, holdObject } from '../domain/pre-auth';
import type { Hold, Transition } from '../domain/pre-auth';
import type { CallEnd } from '../stores/channel-calls';
import { moveHold } from '../stores/hold-transition';
import { toHold } from '../stores/pre-auths';
import type { PreAuthRow } from '../stores/pre-auths';
import { callWhereNew } from './attention';
import type { ActivityDeps } from './deps';
import { moveOf } from './hold-saving';
import type { Saving } from './hold-saving';
import { noteCaptured } from './paid';

/** What an exchange has left of its local activity's time is a second: an answer must not be lost by waiting longer. */
const AT_ONCE_MS = 500;

interface Recorded {
  readonly hold: Hold;
  readonly result: CommandResult;
}

/**
 * The usual way: written as soon as the channel has answered, in one statement that writes nothing when hold or call have
 * moved on since they were read.
 * @returns undefined when they have, when more than one transition follows or another channel may, and when the database
 * does not answer soon: then it is recorded under their locks (recordAnswer), and found done if it was written after all
 */
export async function recordAtOnce(
  deps: ActivityDeps,
  row: PreAuthRow,
  call: ChannelCall,
  answer: HoldAnswer,
): Promise<Recorded | undefined> {
  const tooLate = new AbortController();
  const recorded = write(deps, row, call, answer).catch(() => undefined);
  const given = await Promise.race([
    recorded,
    sleep(AT_ONCE_MS, undefined, { signal: tooLate.signal }).catch(() => undefined),
  ]);
  tooLate.abort();
  return given;
}

async function write(
  deps: ActivityDeps,
  row: PreAuthRow,
  call: ChannelCall,
  answer: HoldAnswer,
): Promise<Recorded | undefined> {
  if (answer.kind === 'declined' && call.operation === 'create') return undefined;
  const before = toHold(row);
  const transition = transitionOf(before, call, answer);
  if (transition === null) return undefined;
  const settles = endOf(row, call, answer);
  const moved = await moveHold(deps.db, moveOf(deps, row, transition, savingOf(call, answer, settles)));
  if (moved === undefined) return undefined;
  if (moved.told > 0) deps.ringOutbox();
  callWhereNew(deps, holdObject(transition.next), before, transition.next);
  noteCaptured(deps, row, before, transition.next);
  return { hold: transition.next, result: resultBy(settles, call, transition.next) };
}

/** What an answer makes of the hold. */
export function transitionOf(hold: Hold, call: ChannelCall, answer: HoldAnswer): Transition | null {
  if (answer.kind !== 'declined')
    return applySnapshot(hold, answer.snapshot, causeOf(call)) ?? applyAttentionMet(hold);
  if (call.operation === 'create') throw new Error('a declined create is ended by itself');
  // The customer may approve again with another means, so an authorization that was declined changes nothing.
  return call.operation === 'authorize'
    ? applyAttentionMet(hold)
    : applyDecline(hold, call.operation, answer.code, call.amount);
}

/** Releases that no merchant has asked for: their reason is not the hold's. */
const OUR_RELEASES: ReadonlySet<string> = new Set([EXPIRY_COMMAND_ID, LATE_RELEASE_COMMAND_ID]);

export function savingOf(call: ChannelCall, answer: HoldAnswer, settles: CallEnd): Saving {
  const isDeclined = answer.kind === 'declined';
  const isMerchants = call.operation === 'cancel' && !OUR_RELEASES.has(call.commandId);
  return {
    settles,
    cancelReason: !isDeclined && isMerchants ? (call.reason ?? undefined) : undefined,
  };
}

/** How an answer ends its call. */
export function endOf(row: PreAuthRow, call: ChannelCall, answer: HoldAnswer): CallEnd {
  const callId = call.id;
  if (answer.kind === 'declined') return { callId, state: 'declined', outcome: declineOutcome(answer) };
  return { callId, state: settledBy(call, toHold(row), answer.snapshot) ?? 'executed', outcome: {} };
}

export function resultBy({ state, outcome }: CallEnd, call: ChannelCall, hold: Hold): CommandResult {
  return resultOf(call, state, (outcome['decline_code'] as string | undefined) ?? null, hold);
}

function declineOutcome(decline: Extract<HoldAnswer, { kind: 'declined' }>) {
  return { decline_code: decline.code, provider_code: decline.providerCode };
}
