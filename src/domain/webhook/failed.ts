/** A notification that was given up, as operators are shown it. */
export interface FailedWebhook {
  readonly notificationId: string;
  readonly merchantId: string;
  readonly paymentNo: string;
  readonly event: string;
  readonly attempts: number;
  /** The last answer's status, or null when there was none. */
  readonly statusCode: number | null;
  /** An error code, or what an operator gave as the reason. */
  readonly error: string | null;
  readonly failedAtMs: number;
}
