/** The test payment methods: Stripe's, and those marked as the sandbox's own. */
export interface TestCard {
  /** Refused when the customer confirms. */
  readonly decline?: {
    readonly code: string;
    readonly declineCode: string | undefined;
    readonly message: string;
  };
  /** The customer must authenticate first. */
  readonly needsAction?: true;
  /** Authorizes; the capture is declined. Sandbox only. */
  readonly captureDeclined?: true;
  /** The hold lasts seconds. Sandbox only. */
  readonly shortHold?: true;
  /** A bank debit: `processing` until /_sandbox/payment_intents/:id/settle says how it ended. */
  readonly isDelayed?: true;
  /** Disputed as soon as it has paid. */
  readonly isDisputed?: true;
  /** Its refunds are `pending` and then succeed, or succeed and then fail. */
  readonly refunds?: 'pending' | 'failing';
}

const declined = (code: string, declineCode: string | undefined, message: string): TestCard => ({
  decline: { code, declineCode, message },
});

export const CARDS: Readonly<Record<string, TestCard>> = {
  pm_card_visa: {},
  pm_card_mastercard: {},
  pm_card_amex: {},
  pm_card_chargeDeclined: declined('card_declined', 'generic_decline', 'Your card was declined.'),
  pm_card_chargeDeclinedInsufficientFunds: declined(
    'card_declined',
    'insufficient_funds',
    'Your card has insufficient funds.',
  ),
  pm_card_chargeDeclinedFraudulent: declined('card_declined', 'fraudulent', 'Your card was declined.'),
  pm_card_chargeDeclinedExpiredCard: declined('expired_card', undefined, 'Your card has expired.'),
  pm_card_chargeDeclinedProcessingError: declined(
    'processing_error',
    undefined,
    'An error occurred while processing your card. Try again in a little bit.',
  ),
  pm_card_authenticationRequired: { needsAction: true },
  pm_card_pendingRefund: { refunds: 'pending' },
  pm_card_refundFail: { refunds: 'failing' },
  pm_card_createDispute: { isDisputed: true },
  pm_usBankAccount: { isDelayed: true },
  pm_card_captureDeclined: { captureDeclined: true },
  pm_card_shortHold: { shortHold: true },
};
