/** Refunds: pull payments and the payouts that customers claim from them. */
import { apiError, validation } from './errors';
import type { Scene } from './invoices';
import { addDecimals, DECIMAL, isAtLeast, RATES } from './money';
import { makeId, nowSeconds } from './state';
import type { Invoice, JsonObject, Payout, PayoutState, PullPayment } from './types';

const REFUND_FIELDS = new Set([
  'name',
  'description',
  'payoutMethodId',
  'refundVariant',
  'subtractPercentage',
  'customAmount',
  'customCurrency',
]);
const REFUNDABLE_WHEN_EXPIRED = new Set(['PaidLate', 'PaidOver', 'PaidPartial']);
const MAX_NAME_LENGTH = 50;

/** @throws GreenfieldApiError; like BTCPay it does not compare a custom amount with what was paid */
export function refund(scene: Scene, invoice: Invoice, body: JsonObject): PullPayment {
  const { status, additionalStatus } = invoice;
  const canRefund =
    status === 'Settled' ||
    status === 'Invalid' ||
    (status === 'Expired' && REFUNDABLE_WHEN_EXPIRED.has(additionalStatus));
  if (!canRefund) throw apiError(400, 'non-refundable', 'Cannot refund this invoice');
  const unknown = Object.keys(body).filter((field) => !REFUND_FIELDS.has(field));
  if (unknown.length > 0) throw validation(...unknown.map((field) => [field, 'Unknown field'] as const));
  const { name, description, refundVariant, customAmount, customCurrency } = body;
  if (refundVariant === undefined) throw validation(['RefundVariant', '`refundVariant` is mandatory']);
  if (refundVariant !== 'Custom') throw validation(['RefundVariant', 'Please select a valid refund option']);
  if (typeof customAmount !== 'string' || !DECIMAL.test(customAmount) || !/[1-9]/.test(customAmount)) {
    throw validation(['CustomAmount', 'Amount must be greater than 0']);
  }
  if (typeof customCurrency !== 'string' || !Object.hasOwn(RATES, customCurrency)) {
    throw validation(['CustomCurrency', 'Invalid currency']);
  }
  if (typeof name === 'string' && name.length > MAX_NAME_LENGTH) {
    throw validation(['Name', 'The name should be maximum 50 characters.']);
  }
  const pull: PullPayment = {
    id: makeId(),
    storeId: invoice.storeId,
    invoiceId: invoice.id,
    name: typeof name === 'string' ? name : `Refund ${invoice.id}`,
    description: typeof description === 'string' ? description : null,
    amount: customAmount,
    currency: customCurrency,
    autoApproveClaims: customCurrency === 'BTC',
    startsAt: nowSeconds(),
    archived: false,
  };
  scene.state.save('pull', pull.id, pull);
  return pull;
}

export function payoutsOf({ state }: Scene, pullPaymentId: string): Payout[] {
  return [...state.payouts.values()].filter((payout) => payout.pullPaymentId === pullPaymentId);
}

/** The customer asks for its money, all that is left unless it says less. */
export function claim(scene: Scene, pull: PullPayment, amount: string = pull.amount): Payout {
  if (pull.archived) throw apiError(400, 'archived', 'This pull payment has been archived');
  const taken = payoutsOf(scene, pull.id).filter(({ state }) => state !== 'Cancelled');
  if (!isAtLeast(pull.amount, addDecimals([...taken.map(({ originalAmount }) => originalAmount), amount]))) {
    throw apiError(400, 'overdraft', 'The claimed amount overdraft the pull payment');
  }
  const payout: Payout = {
    id: makeId(),
    pullPaymentId: pull.id,
    storeId: pull.storeId,
    date: nowSeconds(),
    originalAmount: amount,
    originalCurrency: pull.currency,
    state: pull.autoApproveClaims ? 'AwaitingPayment' : 'AwaitingApproval',
  };
  savePayout(scene, payout, 'PayoutCreated');
  return payout;
}

const NEXT: Readonly<Record<PayoutState, readonly PayoutState[]>> = {
  AwaitingApproval: ['AwaitingPayment', 'Cancelled'],
  AwaitingPayment: ['InProgress', 'Completed', 'Cancelled'],
  InProgress: ['Completed', 'AwaitingPayment'],
  Completed: [],
  Cancelled: [],
};

/** The store's owner approves, pays or cancels. */
export function movePayout(scene: Scene, payout: Payout, state: PayoutState): void {
  if (!NEXT[payout.state].includes(state)) {
    throw apiError(400, 'invalid-state', `The payout cannot go from ${payout.state} to ${state}`);
  }
  payout.state = state;
  savePayout(scene, payout, state === 'AwaitingPayment' ? 'PayoutApproved' : 'PayoutUpdated');
}

function savePayout({ state, events }: Scene, payout: Payout, type: string): void {
  state.save('payout', payout.id, payout);
  const { id, pullPaymentId, storeId } = payout;
  events.emit(storeId, type, { payoutId: id, pullPaymentId, payoutState: payout.state });
}

/** Nobody can claim any more, and claims that are not on their way are cancelled. */
export function archive(scene: Scene, pull: PullPayment): void {
  pull.archived = true;
  scene.state.save('pull', pull.id, pull);
  for (const payout of payoutsOf(scene, pull.id)) {
    if (payout.state === 'AwaitingApproval' || payout.state === 'AwaitingPayment') {
      movePayout(scene, payout, 'Cancelled');
    }
  }
}
