/** Errors on their way to a caller. Their codes and sentences: messages/error-sentences.ts (a new one: both languages). */
import { ERROR_SENTENCES } from './messages/error-sentences';

export type ErrorCode = keyof typeof ERROR_SENTENCES;

/** The sentence of each code in English, which is put into the caller's language on its way out (messages/localize.ts). */
export const ERROR_MESSAGES = Object.fromEntries(
  Object.entries(ERROR_SENTENCES).map(([code, { en }]) => [code, en]),
) as { readonly [C in ErrorCode]: (typeof ERROR_SENTENCES)[C]['en'] };

export type ErrorDetails = Readonly<Record<string, unknown>>;

/** A refusal as a value: why something was not done. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: ErrorDetails;
}

export function refuse(
  code: ErrorCode,
  details?: ErrorDetails,
  message: string = ERROR_MESSAGES[code],
): Refusal {
  return details === undefined ? { code, message } : { code, message, details };
}

/** A refusal on its way to the caller. Thrown only where no value can be returned. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails | undefined;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.code = refusal.code;
    this.details = refusal.details;
  }
}

/** `throw fail('NOT_FOUND')` */
export function fail(code: ErrorCode, details?: ErrorDetails, message?: string): HoldfastError {
  return new HoldfastError(refuse(code, details, message));
}
