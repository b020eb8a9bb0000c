/** The event that tells a merchant that 80 % of a window's limit are used: once within the length of the window, whoever counts. */
import { appendEndpointEvent, uuidV5 } from './outbox';
import { withTransaction } from './postgres';
import type { Database } from './postgres';

export interface RateLimitWarning {
  readonly merchantId: string;
  readonly tier: string;
  readonly window: string;
  readonly windowSeconds: number;
  /** Requests in the window. */
  readonly limit: number;
  readonly at: Date;
}

/** Two processes that warn at the switch of limiters each know only their own warnings: one waits for the other here. */
const ONE_AT_A_TIME = 'SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))';

/** $2 the numbers of warnings that may be so near; $3 when this one is, $4 the length of the window, both in seconds. */
const TOLD_LATELY = `
SELECT 1 FROM webhook_notifications
WHERE merchant_id = $1::uuid AND payment_no = ANY ($2::text[])
  AND abs((payload ->> 'timestamp')::bigint - $3::bigint) < $4::bigint
LIMIT 1`;

/**
 * Tells the merchant, unless it was told of this window less than the window's length ago: by Redis's marker and by those of the
 * processes, which count by themselves while Redis is away and know nothing of each other.
 * @returns the ids of the notifications added
 */
export function appendRateLimitWarning(
  db: Database,
  { merchantId, tier, window, windowSeconds, limit, at }: RateLimitWarning,
  defaultMaxRetries: number,
): Promise<string[]> {
  const stretch = Math.floor(at.getTime() / (windowSeconds * 1000));
  const idOf = (one: number) => uuidV5(`${merchantId}/rate_limit/${window}/${one}`);
  return withTransaction(db, async (tx) => {
    await tx.query(ONE_AT_A_TIME, [`${merchantId}/rate_limit/${window}`]);
    const near = [idOf(stretch - 1), idOf(stretch + 1)];
    const atSeconds = Math.floor(at.getTime() / 1000);
    const lately = await tx.query(TOLD_LATELY, [merchantId, near, atSeconds, windowSeconds]);
    if (lately.rows.length > 0) return [];
    return appendEndpointEvent(tx, {
      merchantId,
      type: 'rate_limit.warning',
      // Of the same stretch of time there is one anyhow.
      eventId: idOf(stretch),
      status: 'warning',
      at,
      extra: { window, limit, used_percent: 80, tier },
      to: 'all',
      defaultMaxRetries,
    });
  });
}
