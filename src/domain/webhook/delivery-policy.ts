/**
 * What follows from one attempt to deliver a notification: success, the end, or another attempt, and when. Pure, so
 * that the relay and the delivery workflow decide alike and every row of the tables can be tested.
 */

/**
 * Why an attempt brought no status code. Kept in `webhook_attempts.error` and shown to merchants: codes are added,
 * never renamed.
 */
export const ATTEMPT_ERRORS = [
  /** The URL breaks a rule that needs no name server: scheme, credentials, a blocked port. Nothing was sent. */
  'URL_NOT_ALLOWED',
  /** The address, or one of those the name resolves to, is not a public one. Nothing was sent. */
  'ADDRESS_NOT_ALLOWED',
  /** The endpoint's secret cannot be opened: a key of ours is missing. Nothing was sent. */
  'SECRET_UNREADABLE',
  /** The body exceeds what one request may carry. Nothing was sent. */
  'REQUEST_TOO_LARGE',
  'DNS_FAILED',
  'CONNECT_FAILED',
  'CONNECT_TIMEOUT',
  'TLS_FAILED',
  /** Connected, and no status line before the time of the whole exchange was over. */
  'TIMEOUT',
  /** The receiver closed the connection before its status line was complete. */
  'CONNECTION_CLOSED',
  /** What came back is not HTTP, or its header is too large. */
  'INVALID_RESPONSE',
  /** A fault of ours that no other code names. */
  'INTERNAL',
] as const;
export type AttemptError = (typeof ATTEMPT_ERRORS)[number];

/** Why a notification ended without an attempt that decided it. */
export const END_REASONS = ['ENDPOINT_DELETED', 'DISABLED_TOO_LONG', 'GIVEN_UP_BY_OPERATOR'] as const;
export type EndReason = (typeof END_REASONS)[number];

/** 'explicit': registered by the merchant. 'implicit': made for the origin of a payment's notify_url. */
export type EndpointKind = 'explicit' | 'implicit';

/** All that one attempt needs; no store is read while it runs. */
export interface DeliveryJob {
  readonly notificationId: string;
  /** The `webhook-id`: the same in every attempt and at every endpoint. */
  readonly eventId: string;
  readonly event: string;
  /** The exact text that is signed and sent. */
  readonly body: string;
  readonly url: string;
  /** From 1. */
  readonly attempt: number;
  /** The current one first, then the previous one while it still signs. */
  readonly secrets: readonly string[];
}

/** Exactly one of `statusCode` and `error` is set: once there is a status, it alone decides. */
export interface AttemptResult {
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly statusCode: number | null;
  /** At most 16 KiB, valid for a TEXT of PostgreSQL: no NUL. Null when there was no answer. */
  readonly response: string | null;
  readonly error: AttemptError | null;
  readonly retryAfterMs: number | null;
}

export type AttemptVerdict =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'final'; readonly disableEndpoint: boolean }
  | { readonly kind: 'retry'; readonly retryAfterMs: number | null };

/**
 * The one place that says which outcome is transient. Of the errors only a request that is too large is final: its
 * bytes never change. A refused URL or address is retried like a server that does not answer, because nothing was
 * sent, a name may be misconfigured (or poisoned) for an hour, the merchant may change the endpoint's URL and the
 * operator the rule; the guard stands at every attempt, so that a rebinding name gains nothing by it.
 */
export function judgeAttempt(
  result: Pick<AttemptResult, 'statusCode' | 'error' | 'retryAfterMs'>,
  endpointKind: EndpointKind,
): AttemptVerdict {
  const { statusCode, retryAfterMs } = result;
  if (statusCode === null) {
    if (result.error === 'REQUEST_TOO_LARGE') return { kind: 'final', disableEndpoint: false };
    return { kind: 'retry', retryAfterMs: null };
  }
  if (statusCode >= 200 && statusCode <= 299) return { kind: 'delivered' };
  if (isTransient(statusCode)) return { kind: 'retry', retryAfterMs };
  // An implicit endpoint stands for a whole origin: one address there that is gone says nothing of the others.
  return { kind: 'final', disableEndpoint: statusCode === 410 && endpointKind === 'explicit' };
}

function isTransient(statusCode: number): boolean {
  return statusCode === 408 || statusCode === 429 || (statusCode >= 500 && statusCode <= 599);
}

export interface BackoffSettings {
  /** What the ladder is multiplied with: 1 000 makes its first rung a second. */
  readonly initialBackoffMs: number;
  /** No pause is longer, whatever chance or the receiver says. */
  readonly maxBackoffMs: number;
  /** Share of a pause that is left to chance, 0 to 1: 0.2 makes it 0.8 to 1.2 times as long. */
  readonly jitter: number;
}

/** Multiples of the initial backoff: 1, 2, 4, 8, 16, 32 s, 1, 2, 5, 10, 30 min, 1 h when that is a second. */
const LADDER = [1, 2, 4, 8, 16, 32, 60, 120, 300, 600, 1_800, 3_600] as const;

/**
 * How long to wait after an attempt that is to be repeated.
 * @param attemptsMade from 1; the last rung serves for ever after
 * @param retryAfterMs what the receiver asked for; counts when it is longer than the rung
 * @param random in [0, 1); used only when there is jitter
 * @returns whole milliseconds, 0 to maxBackoffMs
 */
export function retryDelayMs(
  attemptsMade: number,
  settings: BackoffSettings,
  retryAfterMs: number | null,
  random: number,
): number {
  const { initialBackoffMs, maxBackoffMs, jitter } = settings;
  const step = Math.min(Math.max(attemptsMade, 1), LADDER.length) - 1;
  const rungMs = Math.min((LADDER[step] ?? 1) * initialBackoffMs, maxBackoffMs);
  // After the jitter, so that chance never makes a pause shorter than the receiver asked for.
  const pauseMs = Math.max(rungMs * (1 + jitter * (2 * random - 1)), retryAfterMs ?? 0);
  return Math.round(Math.min(pauseMs, maxBackoffMs));
}

/** Whatever a receiver asks for stays a number that can be added to a time. */
const LONGEST_RETRY_AFTER_MS = 365 * 24 * 3_600_000;

/**
 * Reads a Retry-After header: seconds, or one of the three forms of an HTTP date (RFC 9110, 5.6.7).
 * @returns milliseconds from `nowMs`, 0 for a date in the past, at most a year; null for none and for garbage
 */
export function parseRetryAfter(header: string | null | undefined, nowMs: number): number | null {
  const text = header?.trim() ?? '';
  const atMs = /^\d+$/.test(text) ? nowMs + Number(text) * 1_000 : parseHttpDate(text, nowMs);
  if (atMs === null) return null;
  return Math.min(Math.max(atMs - nowMs, 0), LONGEST_RETRY_AFTER_MS);
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const TIME = String.raw`(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)`;
// `Date.parse` would also take "2026", "1.5" and local times; these take what the standard names.
const HTTP_DATES = [
  new RegExp(String.raw`^[A-Z][a-z]{2}, (?<day>\d\d) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) ${TIME} GMT$`),
  new RegExp(String.raw`^[A-Z][a-z]{5,8}, (?<day>\d\d)-(?<month>[A-Z][a-z]{2})-(?<year>\d\d) ${TIME} GMT$`),
  new RegExp(String.raw`^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) ${TIME} (?<year>\d{4})$`),
];

function parseHttpDate(text: string, nowMs: number): number | null {
  const parts = HTTP_DATES.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined);
  if (parts === undefined) return null;
  const month = MONTHS.indexOf(parts.month ?? '');
  const [day, hour, minute, second] = [parts.day, parts.hour, parts.minute, parts.second].map(Number);
  if (month < 0 || day === undefined || hour === undefined || minute === undefined || second === undefined)
    return null;
  if (hour > 23 || minute > 59 || second > 60) return null;
  const year = fullYear(parts.year ?? '', nowMs);
  const atMs = Date.UTC(year, month, day, hour, minute, second);
  // The 31st of February would become a day of March.
  return new Date(Date.UTC(year, month, day)).getUTCDate() === day ? atMs : null;
}

/** Two digits mean the year that is at most 50 years ahead, as the standard has it. */
function fullYear(digits: string, nowMs: number): number {
  if (digits.length === 4) return Number(digits);
  const thisYear = new Date(nowMs).getUTCFullYear();
  const inThisCentury = thisYear - (thisYear % 100) + Number(digits);
  return inThisCentury > thisYear + 50 ? inThisCentury - 100 : inThisCentury;
}
