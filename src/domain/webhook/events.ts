/** The events merchants are told of, and the body that tells them (the form of the original description). */
export const WEBHOOK_EVENTS = [
  'payment.success',
  'payment.failed',
  'payment.cancelled',
  'payment.expired',
  'payment.late_paid',
  'payment.partially_paid',
  'payment.overpaid',
  'refund.success',
  'refund.failed',
  'pre_auth.authorized',
  'pre_auth.captured',
  'pre_auth.capture_failed',
  'pre_auth.canceled',
  'pre_auth.expiring',
  'pre_auth.expired',
  'pre_auth.failed',
  'dispute.opened',
  'dispute.closed',
  'rate_limit.warning',
  'webhook.test',
  'webhook.endpoint_disabled',
] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

export interface WebhookBody {
  readonly event: WebhookEvent;
  /** The object's number, whatever the object is. */
  readonly payment_no: string;
  readonly order_no: string;
  /** Minor units. */
  readonly amount: number;
  readonly currency: string;
  readonly status: string;
  /** Unix seconds of the change. */
  readonly timestamp: number;
  /** `sequence` counts the events of one object; the order of arrival is not promised. */
  readonly extra: Readonly<Record<string, string | number | boolean>> & { readonly sequence: number };
}
