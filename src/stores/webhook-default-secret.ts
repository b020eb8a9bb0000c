/** The secret of a merchant's implicit endpoints, and of whatever has none of its own. */
import { WEBHOOK_SECRET_PURPOSE } from './merchants';
import type { Queryable } from './postgres';
import type { SecretBox } from './secret-box';
import { newWebhookSecret, ROTATION_OVERLAP_HOURS } from './webhook-endpoints';

const ROTATE = `
UPDATE merchants SET previous_webhook_secret_sealed = webhook_secret_sealed,
  previous_webhook_secret_until = now() + interval '${ROTATION_OVERLAP_HOURS} hours', webhook_secret_sealed = $2
WHERE id = $1`;

const READ = `
SELECT webhook_secret_sealed, CASE WHEN previous_webhook_secret_until > now() THEN previous_webhook_secret_until END AS until
FROM merchants WHERE id = $1`;

export interface DefaultSecret {
  readonly secret: string;
  /** Until then the previous one signs too; null when none does. */
  readonly previousUntil: Date | null;
}

/** The secret there was signs besides the new one for a while; the one before it does not any more. */
export async function rotateDefaultSecret(tx: Queryable, box: SecretBox, merchantId: string): Promise<void> {
  await tx.query(ROTATE, [merchantId, box.seal(newWebhookSecret(), WEBHOOK_SECRET_PURPOSE)]);
}

/** @throws Error for a merchant there is not */
export async function readDefaultSecret(
  q: Queryable,
  box: SecretBox,
  merchantId: string,
): Promise<DefaultSecret> {
  const { rows } = await q.query<{ webhook_secret_sealed: string; until: Date | null }>(READ, [merchantId]);
  if (rows[0] === undefined) throw new Error(`there is no merchant ${merchantId}`);
  return {
    secret: box.open(rows[0].webhook_secret_sealed, WEBHOOK_SECRET_PURPOSE),
    previousUntil: rows[0].until,
  };
}
