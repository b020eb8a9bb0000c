/** What the work of a request came to, and what of it is kept for repeats. */
import type { Refusal } from '../domain/errors';
import { publicErrorOf } from './errors';
import type { RouteAnswer } from './route';

export type Disposition = 'store' | 'release' | 'discard';

/**
 * What becomes of the record once the work has ended with this HTTP status. Stored: successes and definite refusals of
 * the channel. Released, so that a repeat continues the same command: work still under way (202) and faults of ours.
 * Discarded: refusals that a repeat may well not meet again.
 * @param takenOver an earlier owner may have done it: whatever refuses it now, the record keeps it from being done twice
 */
export function dispositionOf(status: number, takenOver: boolean): Disposition {
  if (status === 202 || status >= 500) return 'release';
  if (status < 300 || status === 402) return 'store';
  return takenOver ? 'release' : 'discard';
}

/** What a work came to: an answer, or what it threw. */
export type Outcome =
  | { readonly kind: 'answer'; readonly answer: RouteAnswer }
  | { readonly kind: 'error'; readonly error: unknown };

/** The part of an outcome that is kept; a refusal's request_id is not, it belongs to the repeat. */
export type StoredAnswer =
  { readonly answer: Pick<RouteAnswer, 'data' | 'message' | 'headers'> } | { readonly refusal: Refusal };

export function answerOf(outcome: Outcome): RouteAnswer {
  if (outcome.kind === 'error') throw outcome.error;
  return outcome.answer;
}

export function statusOf(outcome: Outcome): number {
  return outcome.kind === 'answer' ? outcome.answer.status : publicErrorOf(outcome.error).status;
}

export function keptOf(outcome: Outcome): StoredAnswer {
  if (outcome.kind === 'error') return { refusal: publicErrorOf(outcome.error).refusal };
  const { data, message, headers } = outcome.answer;
  return {
    answer: {
      data,
      ...(message === undefined ? {} : { message }),
      ...(headers === undefined ? {} : { headers }),
    },
  };
}
