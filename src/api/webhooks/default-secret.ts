/** The merchant's default secret: rotated like that of an endpoint. */
import { withTransaction } from '../../stores/postgres';
import * as store from '../../stores/webhook-default-secret';
import type { IdempotentRequest } from '../idempotency';
import type { MerchantCaller, RouteAnswer } from '../route';
import type { WebhookApiDeps } from './deps';

export async function rotateDefaultSecret(
  { db, box }: Pick<WebhookApiDeps, 'db' | 'box'>,
  { merchantId }: MerchantCaller,
  idem: IdempotentRequest,
): Promise<RouteAnswer> {
  return idem.run(undefined, async (own) => {
    const now = await withTransaction(db, async (tx) => {
      await own.insertWithin(tx);
      // Done by the request taken over: a second rotation would drop the secret the merchant still uses.
      if (!own.takenOver) await store.rotateDefaultSecret(tx, box, merchantId);
      return store.readDefaultSecret(tx, box, merchantId);
    });
    const data = { secret: now.secret, previous_secret_until: now.previousUntil?.toISOString() ?? null };
    return { status: 200, data, message: 'Default webhook secret rotated' };
  });
}
