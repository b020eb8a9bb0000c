/** What the request that makes a payment or hold is answered where that has ended and no channel had taken it. */
import { DECLINE_CODES } from '../../domain/channel';
import { refuse } from '../../domain/errors';
import type { Refusal } from '../../domain/errors';

/** A payment or hold that is closed, from its row. */
export interface Ended {
  readonly status: string;
  readonly decline_code: string | null;
  readonly channelNo: string | null;
}

const DECLINES: ReadonlySet<string> = new Set(DECLINE_CODES);

/**
 * A channel's no is a decline. An end that no channel has brought about is none: none could be reached, or a cancel or the
 * end of its time was faster. Both are definite, and stored under the Idempotency-Key: a repeat makes nothing new.
 * @param numbered `payment_no` or `pre_auth_no`
 * @returns undefined: a channel had taken it before it ended, so that it was made
 */
export function refusalOfEnd(
  { status, decline_code: code, channelNo }: Ended,
  numbered: Readonly<Record<string, string>>,
): Refusal | undefined {
  const details = { ...numbered, decline_code: code, status };
  if (status === 'failed' && (code === null || DECLINES.has(code)))
    return refuse('CHANNEL_DECLINED', details, `The channel declined: ${code ?? 'no reason given'}.`);
  return status === 'failed' || channelNo === null ? refuse('CHANNEL_NOT_REACHED', details) : undefined;
}
