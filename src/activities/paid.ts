/** Tells of money that has arrived, once what says so is committed: for the counts of fees. */
import type { ChannelName, World } from '../domain/channel';
import type { Hold } from '../domain/pre-auth';
import type { Payment } from '../domain/payment';
import type { ActivityDeps } from './deps';

/** What the row says of where it is paid, and the state does not. */
interface Place {
  readonly world: World;
  readonly country: string | null;
}

/** A capture: what is captured now and was not before. */
export function noteCaptured(deps: ActivityDeps, row: Place, before: Hold, next: Hold): void {
  note(deps, row, next, next.amountCaptured - before.amountCaptured);
}

/** A payment counts once, with all that it has come to. */
export function noteSucceeded(deps: ActivityDeps, row: Place, before: Payment, next: Payment): void {
  if (next.status === 'success' && before.status !== 'success') note(deps, row, next, next.amountPaid);
}

interface Paid {
  readonly merchantId: string;
  readonly channel: ChannelName;
  readonly channelAccountId: string;
  readonly currency: string;
}

function note(deps: ActivityDeps, { world, country }: Place, paid: Paid, amount: number): void {
  if (amount <= 0 || deps.notePaid === undefined) return;
  const { merchantId, channel, channelAccountId, currency } = paid;
  const place = { merchantId, world, channel, channelAccountId, ...(country !== null && { country }) };
  deps.notePaid({ ...place, amount, currency });
}
