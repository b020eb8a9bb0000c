/** What BTCPay says, in our terms: pure tables and the arithmetic of what arrived. */
import { ChannelFault } from '../../domain/channel';
import type { CustomerStep, Decline, ReleaseCause } from '../../domain/channel';
import type {
  ChannelPaymentStatus,
  ChannelRefundStatus,
  PaymentAnswer,
  PaymentSnapshot,
  RefundSnapshot,
} from '../../domain/channel-payment';
import { add, multiply, parseDecimal, subtract, toMinorUnits, ZERO } from './amounts';
import type { Decimal } from './amounts';
import { readRefundDescription } from './identity';
import type { Invoice, PaymentMethods, Payouts, PullPayment } from './wire';

interface StatusRow {
  readonly status: ChannelPaymentStatus;
  readonly closeCause?: ReleaseCause;
}

const DEADLINE: StatusRow = { status: 'canceled', closeCause: 'deadline' };

/**
 * By `status additionalStatus`; a pair that is not in this table is `unknown`. Invalid by itself means that a payment
 * seen did not confirm; Invalid Marked was marked by our cancel or by hand, which BTCPay does not tell apart.
 */
export const STATUS_TABLE: Readonly<Record<string, StatusRow>> = {
  'New None': { status: 'requires_action' },
  'New PaidPartial': { status: 'requires_action' },
  'Processing None': { status: 'processing' },
  'Processing PaidOver': { status: 'processing' },
  'Processing PaidPartial': { status: 'processing' },
  'Processing PaidLate': { status: 'processing' },
  'Settled None': { status: 'succeeded' },
  'Settled PaidOver': { status: 'succeeded' },
  'Settled PaidPartial': { status: 'succeeded' },
  'Settled PaidLate': { status: 'succeeded' },
  'Settled Marked': { status: 'succeeded' },
  'Expired None': DEADLINE,
  'Expired PaidPartial': DEADLINE,
  'Expired PaidLate': DEADLINE,
  'Expired PaidOver': DEADLINE,
  'Invalid None': { status: 'failed' },
  'Invalid Invalid': { status: 'failed' },
  'Invalid PaidPartial': { status: 'failed' },
  'Invalid PaidOver': { status: 'failed' },
  'Invalid PaidLate': { status: 'failed' },
  'Invalid Marked': { status: 'canceled', closeCause: 'requested' },
};

export function mapStatus(status: string, additionalStatus: string | null | undefined): StatusRow {
  const key = `${status} ${additionalStatus ?? 'None'}`;
  return (Object.hasOwn(STATUS_TABLE, key) ? STATUS_TABLE[key] : undefined) ?? { status: 'unknown' };
}

export interface Arrived {
  /** For good, in the invoice's minor units, rounded down. */
  readonly settled: number;
  /** Something was seen, be it unconfirmed. */
  readonly isTouched: boolean;
  /** How much of it may come from rounding up to whole coin units alone, in minor units. */
  readonly rounding: number;
}

/** The unit on chain: what is asked for is rounded up to it. */
const COIN_UNIT: Decimal = { units: 1n, scale: 8 };

/** What payments brought: each counts with its own method's rate, without the fee charged on top; one rounding. */
export function arrivedOf(methods: PaymentMethods, currency: string): Arrived {
  let sum = ZERO;
  let rounding = ZERO;
  let isTouched = false;
  for (const method of methods) {
    const rate = number(method.rate);
    for (const payment of method.payments) {
      if (payment.status === 'Invalid') continue;
      isTouched = true;
      if (payment.status !== 'Settled') continue;
      const net = subtract(number(payment.value), number(payment.fee ?? '0'));
      // Less than the fee that is charged on top: nothing of it went towards the invoice.
      if (net.units <= 0n) continue;
      sum = add(sum, multiply(net, rate));
      rounding = add(rounding, multiply(COIN_UNIT, rate));
    }
  }
  return {
    settled: minor(sum, currency, 'down'),
    isTouched,
    rounding: minor(rounding, currency, 'down'),
  };
}

/**
 * The payment as invoice and payment methods show it.
 * @param refunds what was given back, as listRefunds answers it
 * @throws ChannelFault maybe_executed when an amount is none of the currency's
 */
export function toSnapshot(
  invoice: Invoice,
  methods: PaymentMethods,
  refunds: readonly RefundSnapshot[],
): PaymentSnapshot {
  const currency = invoice.currency.toUpperCase();
  const { status, closeCause } = mapStatus(invoice.status, invoice.additionalStatus);
  const amount = minor(number(invoice.amount), currency, 'exact');
  const amountPaid = amountPaidOf(invoice, status, amount, arrivedOf(methods, currency));
  const irregular = irregularOf(invoice, status, amount, amountPaid);
  const { holdfast_id: holdfastId, holdfast_call: holdfastCall } = invoice.metadata ?? {};
  return {
    channelPaymentNo: invoice.id,
    status,
    currency,
    amount,
    amountPaid,
    amountRefunded: sumOf(refunds.filter((refund) => refund.status !== 'failed')),
    ...(closeCause === undefined ? {} : { closeCause }),
    ...(irregular === undefined ? {} : { irregular }),
    ...(typeof holdfastId === 'string' ? { holdfastId } : {}),
    ...(typeof holdfastCall === 'string' ? { holdfastCall } : {}),
  };
}

/**
 * A coin's unit can be worth more than the currency's (one satoshi is several rupees), so what is more than asked for by
 * no more than that rounding was paid exactly. Marked as settled by hand without a payment, it is taken as paid in
 * full, which is how BTCPay itself refunds it.
 */
function amountPaidOf(
  invoice: Invoice,
  status: ChannelPaymentStatus,
  amount: number,
  arrived: Arrived,
): number {
  const { settled, rounding } = arrived;
  if (status === 'succeeded' && invoice.additionalStatus === 'Marked' && settled === 0) return amount;
  return settled > amount && settled - amount <= rounding ? amount : settled;
}

const CLOSED: ReadonlySet<ChannelPaymentStatus> = new Set(['canceled', 'failed']);

/** Only money that is there for good is irregular; while an invoice is open it may still become what was asked for. */
function irregularOf(invoice: Invoice, status: ChannelPaymentStatus, amount: number, amountPaid: number) {
  if (amountPaid === 0) return undefined;
  if (CLOSED.has(status)) return amountPaid < amount ? 'partial' : 'late';
  if (status !== 'succeeded') return undefined;
  if (amountPaid < amount) return 'partial';
  if (amountPaid > amount) return 'over';
  return invoice.additionalStatus === 'PaidLate' ? 'late' : undefined;
}

const DONE: ReadonlySet<ChannelPaymentStatus> = new Set(['succeeded', 'canceled', 'failed']);

export function toAnswer(snapshot: PaymentSnapshot): PaymentAnswer {
  return { kind: DONE.has(snapshot.status) ? 'done' : 'pending', snapshot };
}

/** The checkout page while there is something to pay. */
export function toCustomerStep(invoice: Invoice): CustomerStep {
  const isOpen = mapStatus(invoice.status, invoice.additionalStatus).status === 'requires_action';
  const url = invoice.checkoutLink ?? '';
  return isOpen && isWebAddress(url) ? { nextAction: { type: 'redirect', url } } : {};
}

function isWebAddress(text: string): boolean {
  return URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
}

/** What a payout's state says of the money; a state that is not here makes the refund `unknown`. */
export const PAYOUT_TABLE: Readonly<Record<string, 'under_way' | 'paid' | 'gone'>> = {
  AwaitingApproval: 'under_way',
  AwaitingPayment: 'under_way',
  InProgress: 'under_way',
  Completed: 'paid',
  Cancelled: 'gone',
};

/**
 * An unclaimed pull payment is pending however long it takes, also when a claim was cancelled: the customer may claim
 * again. Only when it is archived can nobody claim it any more. Claimed in part and archived is `unknown`: neither the
 * whole amount nor nothing was given back, which a person has to judge.
 */
export function mapRefund(
  pull: PullPayment,
  payouts: Payouts,
): { status: ChannelRefundStatus; failureCode?: string } {
  const seen = payouts.map(({ state }) =>
    Object.hasOwn(PAYOUT_TABLE, state) ? PAYOUT_TABLE[state] : undefined,
  );
  if (seen.includes(undefined)) return { status: 'unknown', failureCode: 'payout_state' };
  const paid = payouts
    .filter(({ state }) => PAYOUT_TABLE[state] === 'paid')
    .reduce((sum, payout) => add(sum, number(payout.originalAmount ?? payout.amount ?? '0')), ZERO);
  if (paid.units > 0n && subtract(paid, number(pull.amount)).units >= 0n) return { status: 'succeeded' };
  if (!pull.archived || seen.includes('under_way')) return { status: 'pending' };
  if (paid.units > 0n) return { status: 'unknown', failureCode: 'claimed_in_part' };
  return { status: 'failed', failureCode: 'archived' };
}

/**
 * @param currency the invoice's
 * @param ceiling what was paid: a refund in coins, converted and rounded up, is not more than that
 * @param methods for the rate, where the refund is in coins (only ones made by hand are)
 */
export function toRefundSnapshot(
  pull: PullPayment,
  payouts: Payouts,
  { currency, ceiling, methods }: { currency: string; ceiling: number; methods: PaymentMethods },
): RefundSnapshot {
  const ours = readRefundDescription(pull.description ?? '');
  const amount = refundAmount(pull, currency, methods);
  const mapped = mapRefund(pull, payouts);
  const { status, failureCode } =
    amount === undefined ? { status: 'unknown' as const, failureCode: 'currency' } : mapped;
  const claimUrl = pull.viewLink ?? '';
  return {
    channelRefundNo: pull.id,
    status,
    currency,
    amount:
      pull.currency.toUpperCase() === currency && amount !== undefined
        ? amount
        : Math.min(amount ?? ceiling, ceiling),
    ...(ours === undefined
      ? {}
      : { refundNo: ours.refundNo, holdfastId: ours.holdfastId, holdfastCall: ours.holdfastCall }),
    ...(failureCode === undefined ? {} : { failureCode }),
    ...(status === 'pending' && !pull.archived && isWebAddress(claimUrl) ? { claimUrl } : {}),
  };
}

function refundAmount(pull: PullPayment, currency: string, methods: PaymentMethods): number | undefined {
  const from = pull.currency.toUpperCase();
  if (from === currency) return toMinorUnits(number(pull.amount), currency, 'up');
  const rate = methods.find((method) => (method.currency ?? method.cryptoCode) === from)?.rate;
  if (rate === undefined) return undefined;
  return toMinorUnits(multiply(number(pull.amount), number(rate)), currency, 'up');
}

export function sumOf(rows: readonly { readonly amount: number }[]): number {
  return rows.reduce((sum, row) => sum + row.amount, 0);
}

export function decline(code: Decline['code'], providerCode: string): Decline {
  return { kind: 'declined', code, providerCode };
}

/** Amounts in parsed shapes are decimal numbers already. */
function number(text: string): Decimal {
  return parseDecimal(text) ?? ZERO;
}

function minor(value: Decimal, currency: string, rounding: 'exact' | 'down'): number {
  const converted = toMinorUnits(value, currency, rounding);
  if (converted === undefined) throw new ChannelFault('maybe_executed', 'amount_not_representable');
  return converted;
}
