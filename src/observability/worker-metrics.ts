/**
 * What a worker counts itself, shown with Temporal's own numbers: the calls of channels, the money that arrives, webhooks.
 * Labels are closed lists; of merchants, in the counts of money alone, only so many are told apart.
 */
import type { MetricMeter } from '@temporalio/common';

const CALL_SECONDS = 'holdfast_channel_call_duration_seconds';

/** Temporal's own limits are for milliseconds. */
export const HISTOGRAM_BUCKETS: Readonly<Record<string, number[]>> = {
  [CALL_SECONDS]: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25],
};

export interface ChannelMetrics {
  /** A call of a channel begins. @returns is told how it ended; of a decline also why */
  begin(channel: string, operation: string): (outcome: string, reason?: string) => void;
}

/** The decline that is ours to mend, and that an alert stands on. */
const OUR_DECLINE = 'account_invalid';

/** @param of what may be called: of these, the declines that somebody must look at are counted from 0 */
export function createChannelMetrics(
  meter: MetricMeter,
  of: { readonly channels: readonly string[]; readonly operations: readonly string[] },
): ChannelMetrics {
  const calls = meter.createCounter(
    'holdfast_channel_calls_total',
    undefined,
    'Calls of channels, by what came of them',
  );
  const seconds = meter.createHistogram(
    CALL_SECONDS,
    'float',
    undefined,
    'Seconds a call of a channel takes',
  );
  const declines = meter.createCounter(
    'holdfast_channel_declines_total',
    undefined,
    'Calls that a channel declined, by reason',
  );
  // An increase that begins with the first of them would not be seen.
  for (const channel of of.channels)
    for (const operation of of.operations) declines.add(0, { channel, operation, reason: OUR_DECLINE });
  return {
    begin(channel, operation) {
      const startedAtMs = performance.now();
      return (outcome, reason) => {
        seconds.record((performance.now() - startedAtMs) / 1000, { channel, operation });
        calls.add(1, { channel, operation, outcome });
        if (reason !== undefined) declines.add(1, { channel, operation, reason });
      };
    },
  };
}

/** Money that has arrived. Amounts in minor units of the currency. */
export interface PaidMoney {
  readonly merchantId: string;
  readonly world: string;
  readonly channel: string;
  readonly currency: string;
  readonly amount: number;
  /** What its channel takes. */
  readonly fee: number;
  /** What the default channel would have taken. */
  readonly defaultFee: number;
}

/** Each has some series for every channel and currency; the others share theirs. */
const MERCHANTS_TOLD_APART = 200;
const OTHER = 'other';

/**
 * Sums, by merchant, world, channel and currency. What is saved is the difference of two of them: it may be negative, which
 * no counter can be.
 */
export function createMoneyMetrics(meter: MetricMeter): (paid: PaidMoney) => void {
  const sum = (name: string, what: string) => meter.createCounter(name, undefined, `${what}, minor units`);
  const amounts = sum('holdfast_paid_minor_total', 'Payments that arrived and captures of holds');
  const fees = sum('holdfast_fees_paid_minor_total', 'Fees of what was paid, at present prices');
  const defaultFees = sum(
    'holdfast_fees_at_default_minor_total',
    'Fees that the default channel would have taken',
  );
  const known = new Set<string>();
  return ({ merchantId, world, channel, currency, amount, fee, defaultFee }) => {
    if (known.size < MERCHANTS_TOLD_APART) known.add(merchantId);
    const labels = { merchant: known.has(merchantId) ? merchantId : OTHER, world, channel, currency };
    amounts.add(amount, labels);
    fees.add(fee, labels);
    defaultFees.add(defaultFee, labels);
  };
}

const ATTEMPT_OUTCOMES = ['delivered', 'try_again', 'refused', 'no_answer'] as const;
const NOTIFICATION_OUTCOMES = ['delivered', 'given_up', 'dropped'] as const;

export interface WebhookMetrics {
  /** `try_again`: a status that is retried; `refused`: one that is not. */
  attempted(outcome: (typeof ATTEMPT_OUTCOMES)[number]): void;
  /** `dropped`: nobody wants it any more, because its endpoint was deleted or stayed disabled. */
  ended(outcome: (typeof NOTIFICATION_OUTCOMES)[number]): void;
}

export function createWebhookMetrics(meter: MetricMeter): WebhookMetrics {
  const attempts = meter.createCounter(
    'holdfast_webhook_attempts_total',
    undefined,
    'Attempts to deliver a webhook, probes included',
  );
  const ends = meter.createCounter(
    'holdfast_webhook_notifications_total',
    undefined,
    'Webhooks that have ended, by how',
  );
  // Every series exists from the start: an increase that begins with the first of them would not be seen.
  for (const outcome of ATTEMPT_OUTCOMES) attempts.add(0, { outcome });
  for (const outcome of NOTIFICATION_OUTCOMES) ends.add(0, { outcome });
  return {
    attempted: (outcome) => attempts.add(1, { outcome }),
    ended: (outcome) => ends.add(1, { outcome }),
  };
}
