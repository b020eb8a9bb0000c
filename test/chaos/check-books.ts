/**
 * What must be true after anything was killed: our rows, the promises made to the merchant and the channel's own books
 * tell the same story to the cent. Pure, so that it can itself be tested with books that are wrong.
 */
import type { BookedIntent, Books } from '../../dev/stripe-sandbox/books';
import { eventId } from '../../src/stores/outbox';

export interface HoldRow {
  readonly merchant_id: string;
  readonly pre_auth_no: string;
  readonly order_no: string;
  readonly status: string;
  readonly channel_pre_auth_no: string | null;
  /** Minor units, all three; USD, which Stripe counts as ISO 4217 does. */
  readonly amount: number;
  readonly amount_capturable: number;
  readonly amount_captured: number;
  readonly event_sequence: number;
}

export interface CallRow {
  readonly object_no: string;
  readonly operation: string;
  readonly state: string;
  readonly amount: number;
}

export interface EventRow {
  readonly object_no: string;
  readonly sequence: number;
}

export interface NotificationRow {
  readonly payment_no: string;
  readonly event_id: string;
  readonly endpoint_id: string;
}

export interface ClaimRow {
  readonly order_no: string;
  readonly number: string;
  readonly state: string;
}

/** What the merchant was told for certain about one hold. */
export interface Told {
  readonly preAuthNo: string;
  readonly status: string;
  readonly amountCaptured?: number;
}

/** Everything one merchant's holds left behind, and what is known of them from outside. */
export interface Evidence {
  readonly holds: readonly HoldRow[];
  readonly calls: readonly CallRow[];
  readonly events: readonly EventRow[];
  readonly notifications: readonly NotificationRow[];
  readonly claims: readonly ClaimRow[];
  /** Ids of the endpoints that are told of everything. */
  readonly endpoints: readonly string[];
  readonly books: Books;
  /** Numbers of the holds that were answered 201 or 202. */
  readonly accepted: readonly string[];
  /** Numbers of the holds whose customer confirmed. */
  readonly confirmed: ReadonlySet<string>;
  readonly told: readonly Told[];
}

const RELEASED: readonly string[] = ['canceled', 'expired', 'failed'];
const INTENT_STATUS: Readonly<Record<string, string>> = {
  expired: 'canceled',
  partially_captured: 'requires_capture',
};

export function isFinal(status: string): boolean {
  return status === 'succeeded' || RELEASED.includes(status);
}

/** @returns one sentence for each thing that is wrong; empty when all is well */
export function checkBooks(evidence: Evidence): string[] {
  const { holds, books, accepted, claims } = evidence;
  const numbers = new Set(holds.map((hold) => hold.pre_auth_no));
  const ids = new Set(holds.map(holdfastId));
  return [
    ...accepted.filter((no) => !numbers.has(no)).map((no) => `${no} was accepted and is gone`),
    ...books.payment_intents
      .filter((intent) => !ids.has(intent.metadata['holdfast_id'] ?? ''))
      .map((intent) => `${intent.id} belongs to no hold`),
    ...claims
      .filter((claim) => !numbers.has(claim.number))
      .map((claim) => `order ${claim.order_no} is claimed by ${claim.number}, which does not exist`),
    ...holds.flatMap((hold) => checkHold(hold, evidence).map((wrong) => `${hold.pre_auth_no}: ${wrong}`)),
    ...checkTotals(holds, books),
  ];
}

function holdfastId(hold: HoldRow): string {
  return `pre-auth/${hold.merchant_id}/${hold.pre_auth_no}`;
}

function checkHold(hold: HoldRow, evidence: Evidence): string[] {
  return [
    ...checkIntent(hold, evidence),
    ...checkCalls(hold, evidence),
    ...checkEvents(hold, evidence),
    ...checkClaim(hold, evidence.claims),
    ...evidence.told
      .filter((told) => told.preAuthNo === hold.pre_auth_no)
      .flatMap(({ status, amountCaptured = hold.amount_captured }) =>
        status === hold.status && amountCaptured === hold.amount_captured
          ? []
          : [`told ${status} with ${amountCaptured}, but it is ${hold.status} with ${hold.amount_captured}`],
      ),
  ];
}

function checkIntent(hold: HoldRow, { books, confirmed }: Evidence): string[] {
  const intents = books.payment_intents.filter((one) => one.metadata['holdfast_id'] === holdfastId(hold));
  const [intent] = intents;
  if (intent === undefined) return ['it has no PaymentIntent'];
  if (intents.length > 1) return [`it has ${intents.length} PaymentIntents`];
  const ours = [
    hold.channel_pre_auth_no,
    INTENT_STATUS[hold.status] ?? hold.status,
    hold.amount,
    hold.amount_capturable,
    hold.amount_captured,
  ].join(' ');
  const theirs = [
    intent.id,
    intent.status,
    intent.amount,
    intent.amount_capturable,
    intent.amount_received,
  ].join(' ');
  return [
    ...(ours === theirs ? [] : [`the row says "${ours}", the channel "${theirs}"`]),
    ...checkMoney(intent, confirmed.has(hold.pre_auth_no)),
  ];
}

/** What was once held is still held, captured or given back: no cent is missing and none was made up. */
function checkMoney(intent: BookedIntent, isConfirmed: boolean): string[] {
  const accounted = intent.amount_capturable + intent.amount_received + intent.released;
  const expected = isConfirmed ? intent.amount : 0;
  return accounted === expected ? [] : [`${accounted} is accounted for at the channel, not ${expected}`];
}

function checkCalls(hold: HoldRow, { calls, books }: Evidence): string[] {
  const own = calls.filter((call) => call.object_no === hold.pre_auth_no);
  const executed = (operation: string) =>
    own.filter((call) => call.operation === operation && call.state === 'executed');
  const atChannel = (operation: string) =>
    books.calls.filter(
      (call) =>
        call.holdfast_id === holdfastId(hold) &&
        call.operation === operation &&
        call.executed &&
        // A refusal that is stored under its key counts as executed there, but moves nothing.
        (call.status < 400 || call.status >= 500),
    ).length;
  const captured = executed('capture').reduce((sum, call) => sum + call.amount, 0);
  const open = own.filter((call) => call.state === 'open').length;
  return [
    ...(open === 0 ? [] : [`${open} calls were left open`]),
    ...(captured === hold.amount_captured
      ? []
      : [`its captures make ${captured}, not ${hold.amount_captured}`]),
    ...['create', 'capture']
      .filter((operation) => executed(operation).length !== atChannel(operation))
      .map(
        (operation) =>
          `${executed(operation).length} executed ${operation} in our rows, ${atChannel(operation)} at the channel`,
      ),
    ...(executed('create').length > 1 ? ['it was created more than once'] : []),
  ];
}

function checkEvents(hold: HoldRow, { events, notifications, endpoints }: Evidence): string[] {
  // Below zero are notes for the record, of which nobody is told.
  const sequences = events
    .filter((event) => event.object_no === hold.pre_auth_no && event.sequence > 0)
    .map((event) => event.sequence)
    .sort((a, b) => a - b);
  const wanted = Array.from({ length: hold.event_sequence }, (_, i) => i + 1);
  const object = {
    merchantId: hold.merchant_id,
    objectKind: 'pre_auth',
    objectNo: hold.pre_auth_no,
  } as const;
  const due = wanted.flatMap((sequence) =>
    endpoints.map((endpoint) => `${eventId({ ...object, sequence })} ${endpoint}`),
  );
  const written = notifications
    .filter((notification) => notification.payment_no === hold.pre_auth_no)
    .map((notification) => `${notification.event_id} ${notification.endpoint_id}`);
  return [
    ...(sequences.join() === wanted.join()
      ? []
      : [`its events are ${sequences.join()}, not ${wanted.join()}`]),
    ...(due.sort().join() === written.sort().join()
      ? []
      : [`${written.length} notifications were written for ${due.length}, or for other events`]),
  ];
}

function checkClaim(hold: HoldRow, claims: readonly ClaimRow[]): string[] {
  const claim = claims.find((one) => one.number === hold.pre_auth_no);
  const wanted = RELEASED.includes(hold.status) ? 'none' : hold.status === 'succeeded' ? 'paid' : 'live';
  const found = claim === undefined ? 'none' : claim.state;
  const order = claim === undefined || claim.order_no === hold.order_no;
  return found === wanted && order ? [] : [`its claim on the order is ${found}, not ${wanted}`];
}

function checkTotals(holds: readonly HoldRow[], books: Books): string[] {
  const { held, captured } = books.totals['usd'] ?? { held: 0, captured: 0 };
  const ours = {
    held: holds.reduce((sum, hold) => sum + hold.amount_capturable, 0),
    captured: holds.reduce((sum, hold) => sum + hold.amount_captured, 0),
  };
  return ours.held === held && ours.captured === captured
    ? []
    : [`in all ${ours.held} held and ${ours.captured} captured, but ${held} and ${captured} at the channel`];
}
