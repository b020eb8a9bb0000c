/**
 * Which Greenfield error means what, as data. The first row that matches decides; what matches none is
 * `maybe_executed`. BTCPay keeps no answers under keys, so no fault is ever a stored answer.
 */
import { ChannelFault } from '../../domain/channel';
import type { Decline, DeclineCode, FaultExecution } from '../../domain/channel';
import { GreenfieldError } from './client';
import type { GreenfieldFailure } from './client';

type Meaning = { readonly declined: DeclineCode } | { readonly fault: FaultExecution };

interface ErrorRow {
  readonly status?: number;
  readonly code?: string;
  /** A field that a 422 names, in lower case. */
  readonly path?: string;
  readonly means: Meaning;
}

const declined = (code: DeclineCode): Meaning => ({ declined: code });

export const ERROR_TABLE: readonly ErrorRow[] = [
  { code: 'base-url-invalid', means: declined('account_invalid') },
  // The reverse proxy's limit, enforced before the request reaches the application.
  { status: 429, means: { fault: 'not_sent' } },
  { status: 401, means: declined('account_invalid') },
  { status: 403, means: declined('account_invalid') },
  { status: 404, code: 'invoice-not-found', means: declined('object_not_found') },
  { status: 404, code: 'pullpayment-not-found', means: declined('object_not_found') },
  { status: 404, code: 'store-not-found', means: declined('account_invalid') },
  // A 404 of somebody else: the address is no BTCPay Server's, or another root.
  { status: 404, means: declined('account_invalid') },
  { status: 400, code: 'non-refundable', means: declined('invalid_state') },
  { status: 400, code: 'archived', means: declined('invalid_state') },
  { status: 422, path: 'amount', means: declined('invalid_amount') },
  { status: 422, path: 'customamount', means: declined('invalid_amount') },
  { status: 422, path: 'currency', means: declined('invalid_currency') },
  { status: 422, path: 'customcurrency', means: declined('invalid_currency') },
  { status: 422, path: 'status', means: declined('invalid_state') },
  // "Impossible to fetch rate" is said of this field; our variant itself is always a known one.
  { status: 422, path: 'refundvariant', means: declined('processing_error') },
  { status: 422, means: declined('invalid_request') },
  // No wallet, no payment method, no rate: said before the invoice is written.
  { status: 400, means: declined('invalid_request') },
];

/** The meaning of a failure: a decline to return, or a fault to throw. Pure. */
export function meaningOf(failure: GreenfieldFailure): Decline | ChannelFault {
  const reason = reasonOf(failure);
  const means = ERROR_TABLE.find((row) => matches(row, failure))?.means;
  if (means !== undefined && 'declined' in means) {
    return { kind: 'declined', code: means.declined, providerCode: reason };
  }
  const fallback = failure.sent ? 'maybe_executed' : 'not_sent';
  return new ChannelFault(means?.fault ?? fallback, reason);
}

function matches(row: ErrorRow, failure: GreenfieldFailure): boolean {
  return (
    (row.status === undefined || row.status === failure.status) &&
    (row.code === undefined || row.code === failure.code) &&
    (row.path === undefined || failure.paths.includes(row.path))
  );
}

const CODE = /^[A-Za-z0-9_.-]{1,60}$/;

/** Codes and field names only: a message may quote what we sent, and what looks like no code is not passed on. */
function reasonOf({ code, paths, network, status }: GreenfieldFailure): string {
  const word = [code, network, paths[0]].find((part) => part !== undefined && CODE.test(part));
  return word ?? `http_${status ?? 'none'}`;
}

/** Runs calls and their mapping: what BTCPay refuses comes back as a decline, everything else is a ChannelFault. */
export async function attempt<T extends object>(calls: () => Promise<T>): Promise<T | Decline> {
  const { meaning, value } = await judged(calls);
  if (meaning instanceof ChannelFault) throw meaning;
  return meaning ?? value;
}

/**
 * For what comes before the call that moves money: whatever the wire does there, that call was not sent. What is declined
 * there says nothing of earlier sends.
 */
export async function beforeMoney<T extends object>(calls: () => Promise<T>): Promise<T | Decline> {
  const { meaning, value } = await judged(calls);
  if (meaning instanceof ChannelFault) throw new ChannelFault('not_sent', `look_up:${meaning.reason}`);
  return meaning === undefined ? value : { ...meaning, ofPreparation: true };
}

/** For what follows the sight of what was made, or the call that made it: no trouble of the wire says that it is not there. */
export async function afterMoney<T extends object>(calls: () => Promise<T>): Promise<T> {
  const { meaning, value } = await judged(calls).catch((error: unknown) => {
    if (!(error instanceof ChannelFault)) throw error;
    return { meaning: error, value: undefined };
  });
  if (meaning === undefined) return value;
  const reason = meaning instanceof ChannelFault ? meaning.reason : `read_refused:${meaning.code}`;
  throw new ChannelFault('maybe_executed', reason);
}

type Judged<T> =
  | { readonly meaning: Decline | ChannelFault; readonly value?: undefined }
  | { readonly meaning?: undefined; readonly value: T };

async function judged<T extends object>(calls: () => Promise<T>): Promise<Judged<T>> {
  try {
    return { value: await calls() };
  } catch (error) {
    // A fault that the calls throw themselves is their judgement already.
    if (!(error instanceof GreenfieldError)) throw error;
    return { meaning: meaningOf(error.failure) };
  }
}

/** For reads: a refusal (a revoked key, say) tells nothing about the object; undefined: there is no such object. */
export async function read<T extends object>(calls: () => Promise<T>): Promise<T | undefined> {
  const answer = await attempt(calls);
  if (!isDecline(answer)) return answer;
  if (answer.code === 'object_not_found') return undefined;
  throw new ChannelFault('maybe_executed', `read_refused:${answer.code}`);
}

export function isDecline(value: object): value is Decline {
  return 'kind' in value && value.kind === 'declined';
}
