/** How a hold's next state is written: with its events and their notifications, and the end of the call it follows from. */
import type { PoolClient } from 'pg';
import { holdObject } from '../domain/pre-auth';
import type { Hold, Transition } from '../domain/pre-auth';
import { settleCall } from '../stores/channel-calls';
import type { CallEnd } from '../stores/channel-calls';
import { moveHold } from '../stores/hold-transition';
import type { Move } from '../stores/hold-transition';
import { noteNews } from '../stores/outbox';
import { afterCommit } from '../stores/postgres';
import { toHold } from '../stores/pre-auths';
import type { PreAuthRow } from '../stores/pre-auths';
import { callOnceCommitted } from './attention';
import type { ActivityDeps } from './deps';
import { noteCaptured } from './paid';
import { transitionEvents } from './transition-events';

export interface Saving {
  readonly declineCode?: string | undefined;
  readonly cancelReason?: string | undefined;
  readonly settles?: CallEnd | undefined;
}

/** The caller holds the row's lock. `null`: only the call is settled. */
export async function saveTransition(
  deps: ActivityDeps,
  tx: PoolClient,
  row: PreAuthRow,
  transition: Transition | null,
  saving: Saving = {},
): Promise<Hold> {
  if (transition === null) {
    if (saving.settles !== undefined) await settleCall(tx, saving.settles);
    return toHold(row);
  }
  const moved = await moveHold(tx, moveOf(deps, row, transition, saving));
  if (moved === undefined) throw new Error(`hold ${row.pre_auth_no} is no longer at version ${row.version}`);
  if (moved.told > 0) noteNews(tx);
  const before = toHold(row);
  callOnceCommitted(deps, tx, holdObject(transition.next), before, transition.next);
  afterCommit(tx, () => noteCaptured(deps, row, before, transition.next));
  row.event_sequence += transition.events.length;
  return transition.next;
}

/** The move that writes a transition computed from this row. */
export function moveOf(deps: ActivityDeps, row: PreAuthRow, transition: Transition, saving: Saving): Move {
  const { next } = transition;
  const numbers = { channel_pre_auth_no: next.channelPreAuthNo };
  const events = transitionEvents(deps, row, subjectOf(next), transition, numbers);
  return { before: toHold(row), next, eventSequence: row.event_sequence, events, ...saving };
}

/** The hold as the subject of events and notes. */
function subjectOf(hold: Hold) {
  return { merchantId: hold.merchantId, objectKind: 'pre_auth' as const, objectNo: hold.preAuthNo };
}
