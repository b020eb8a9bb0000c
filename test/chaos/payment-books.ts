/**
 * What must be true of payments after faults, kills and races: our rows, the promises made to the merchant and the books of
 * the four channels tell the same story to the cent. Pure, so that it can itself be tested with books that are wrong.
 */

/** One payment as a channel's own books have it. Minor units. */
export interface BookedPayment {
  readonly channel: string;
  /** The workflow that made it. */
  readonly holdfastId: string;
  readonly paid: number;
  /** Those that did not fail. */
  readonly refunds: readonly BookedRefund[];
}

export interface BookedRefund {
  /** The number under which the channel knows it. */
  readonly id: string;
  readonly amount: number;
}

export interface PaymentRow {
  readonly merchant_id: string;
  readonly payment_no: string;
  readonly order_no: string;
  readonly status: string;
  readonly amount: number;
  readonly amount_paid: number;
  readonly refund_reserved: number;
  readonly refunded_external: number;
  readonly event_sequence: number;
  readonly needs_attention: string | null;
}

export interface RefundRow {
  readonly refund_no: string;
  readonly object_no: string;
  readonly late_payment_id: string | null;
  readonly channel_refund_no: string | null;
  readonly amount: number;
  readonly status: string;
  readonly event_sequence: number;
  readonly needs_attention: string | null;
}

export interface LateRow {
  readonly id: string;
  readonly object_no: string;
  readonly kind: string;
  readonly amount: number;
}

export interface ClaimRow {
  readonly order_no: string;
  readonly number: string;
  readonly state: string;
}

export interface EventRow {
  readonly object_no: string;
  readonly object_kind: string;
  readonly sequence: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Everything that one merchant's payments left behind. */
export interface PaymentEvidence {
  readonly payments: readonly PaymentRow[];
  readonly refunds: readonly RefundRow[];
  readonly late: readonly LateRow[];
  readonly claims: readonly ClaimRow[];
  readonly events: readonly EventRow[];
  /** `{object_no} {operation}` of each call whose outcome nobody has written down. */
  readonly openCalls: readonly string[];
  readonly books: readonly BookedPayment[];
  /** Numbers of the payments that were answered 201 or 202. */
  readonly accepted: readonly string[];
}

const FREE: readonly string[] = ['failed', 'cancelled', 'expired'];
const LATE_EVENTS: Readonly<Record<string, string>> = {
  late: 'payment.late_paid',
  partial: 'payment.partially_paid',
  over: 'payment.overpaid',
};

const sumOf = (rows: readonly { readonly amount: number }[]) =>
  rows.reduce((sum, { amount }) => sum + amount, 0);

/** @returns one sentence for each thing that is wrong; empty when all is well */
export function checkPaymentBooks(evidence: PaymentEvidence): string[] {
  const { payments, books, accepted, openCalls } = evidence;
  const ids = new Set(payments.map(holdfastIdOf));
  const numbers = new Set(payments.map(({ payment_no: no }) => no));
  return [
    ...accepted.filter((no) => !numbers.has(no)).map((no) => `${no} was accepted and is gone`),
    ...books
      .filter(({ holdfastId }) => !ids.has(holdfastId))
      .map(({ channel, holdfastId }) => `${channel} knows ${holdfastId || 'something'}, which is no payment`),
    ...openCalls.map((call) => `a call was left open: ${call}`),
    ...payments.flatMap((row) => checkPayment(row, evidence).map((wrong) => `${row.payment_no}: ${wrong}`)),
    ...checkOrders(evidence),
  ];
}

function holdfastIdOf({ merchant_id: merchantId, payment_no: no }: PaymentRow): string {
  return `payment/${merchantId}/${no}`;
}

function checkPayment(row: PaymentRow, evidence: PaymentEvidence): string[] {
  const { payment_no: no, status, amount, amount_paid: paid } = row;
  const expected = status === 'success' ? amount : 0;
  return [
    ...(status === 'success' || FREE.includes(status) ? [] : [`it is still ${status}`]),
    ...(row.needs_attention === null ? [] : [`it needs attention: ${row.needs_attention}`]),
    ...(paid === expected ? [] : [`${paid} of ${amount} is written down as paid, though it is ${status}`]),
    ...checkMoney(row, evidence),
    ...checkRefunds(row, evidence),
    ...checkEvents(evidence.events, 'payment', no, row.event_sequence),
    ...checkClaim(row, evidence),
  ];
}

/** Every cent the customer paid is the payment's or stands in a row of late money that the merchant was told of. */
function checkMoney(row: PaymentRow, { books, late, events }: PaymentEvidence): string[] {
  const booked = books.filter(({ holdfastId }) => holdfastId === holdfastIdOf(row));
  const taken = booked.filter(({ paid }) => paid > 0);
  const own = late.filter((one) => one.object_no === row.payment_no);
  const theirs = booked.reduce((sum, { paid }) => sum + paid, 0);
  const ours = row.amount_paid + sumOf(own);
  const told = (one: LateRow) =>
    events.filter(
      ({ object_no: no, type, data, sequence }) =>
        no === row.payment_no &&
        sequence > 0 &&
        type === LATE_EVENTS[one.kind] &&
        data['late_payment_id'] === one.id,
    ).length;
  return [
    ...(taken.length <= 1 ? [] : [`it was paid ${taken.length} times`]),
    ...(ours === theirs
      ? []
      : [`${row.status} with ${row.amount_paid} and ${sumOf(own)} late, but ${theirs} at the channel`]),
    ...own
      .filter((one) => told(one) !== 1)
      .map((one) => `the merchant was told ${told(one)} times of ${one.amount} that came ${one.kind}`),
  ];
}

function checkRefunds(row: PaymentRow, { books, refunds, events }: PaymentEvidence): string[] {
  const booked = books.filter(({ holdfastId }) => holdfastId === holdfastIdOf(row));
  const own = refunds.filter((refund) => refund.object_no === row.payment_no);
  const moved = own.filter(({ status }) => status !== 'failed');
  const reserved = sumOf(moved.filter(({ late_payment_id: late }) => late === null));
  const ours = moved.map((refund) => `${refund.channel_refund_no ?? 'none'} ${refund.amount}`).sort();
  const theirs = booked.flatMap((one) => one.refunds.map(({ id, amount }) => `${id} ${amount}`)).sort();
  const paid = booked.reduce((sum, one) => sum + one.paid, 0);
  const back = sumOf(booked.flatMap((one) => one.refunds));
  return [
    ...own.flatMap((refund) => [
      ...(refund.status === 'pending' ? [`refund ${refund.refund_no} is still pending`] : []),
      ...(refund.needs_attention === null ? [] : [`${refund.refund_no}: ${refund.needs_attention}`]),
      ...checkEvents(events, 'refund', refund.refund_no, refund.event_sequence),
    ]),
    ...(reserved === row.refund_reserved ? [] : [`${row.refund_reserved} is reserved for ${reserved}`]),
    ...(row.refund_reserved + row.refunded_external <= row.amount_paid
      ? []
      : [`${row.refund_reserved} is reserved of ${row.amount_paid}`]),
    ...(back <= paid ? [] : [`${back} went back of ${paid}`]),
    ...(ours.join() === theirs.join()
      ? []
      : [`its refunds are ${ours.join()}, at the channel ${theirs.join()}`]),
  ];
}

function checkEvents(events: readonly EventRow[], kind: string, no: string, count: number): string[] {
  // Below zero are notes for the record, of which nobody is told.
  const own = events.filter(
    (event) => event.object_kind === kind && event.object_no === no && event.sequence > 0,
  );
  const found = own.map(({ sequence }) => sequence).sort((a, b) => a - b);
  const wanted = Array.from({ length: count }, (_, i) => i + 1);
  const types = own.map(({ type }) => type);
  const ends = types.filter((type) => /\.(success|failed|cancelled|expired)$/.test(type));
  return [
    ...(found.join() === wanted.join() ? [] : [`events of ${no} are ${found.join()}, not ${wanted.join()}`]),
    ...(ends.length === 1 ? [] : [`the end of ${no} was told ${ends.length} times: ${ends.join()}`]),
  ];
}

const isWhollyRefunded = (row: PaymentRow) => row.refund_reserved + row.refunded_external >= row.amount_paid;

function checkClaim(row: PaymentRow, { claims }: PaymentEvidence): string[] {
  const claim = claims.find(({ number }) => number === row.payment_no);
  const wanted = row.status === 'success' && !isWhollyRefunded(row) ? `paid ${row.order_no}` : 'none';
  const found = claim === undefined ? 'none' : `${claim.state} ${claim.order_no}`;
  return found === wanted ? [] : [`its claim on the order is ${found}, not ${wanted}`];
}

/** Late money beside, an order is paid once, and again only when all of it went back. */
function checkOrders({ payments }: PaymentEvidence): string[] {
  const paid = payments.filter((row) => row.status === 'success' && !isWhollyRefunded(row));
  const byOrder = new Map<string, string[]>();
  for (const { order_no: order, payment_no: no } of paid)
    byOrder.set(order, [...(byOrder.get(order) ?? []), no]);
  return [...byOrder]
    .filter(([, numbers]) => numbers.length > 1)
    .map(([order, numbers]) => `order ${order} is paid by ${numbers.join(' and ')}`);
}
