/**
 * The headers of a delivery, with both families of signatures: the one of the original description over the body,
 * and Standard Webhooks (standardwebhooks.com), which also covers id and time, so that a replay can be refused.
 */
import { createHmac } from 'node:crypto';
import type { DeliveryJob } from '../domain/webhook/delivery-policy';

/** The version is package.json's; a test compares them. */
export const USER_AGENT = 'holdfast/0.1.0';

const SECRET_PREFIX = 'whsec_';

/**
 * `X-Webhook-Signature`: hex HMAC-SHA256 of the body. The key is the secret's whole text exactly as the merchant was
 * shown it, `whsec_` included, because the description's verifier passes what it was given to HMAC unchanged.
 */
export function signBody(body: string, secret: string): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}

/**
 * `webhook-signature` of one secret: `v1,` and base64 HMAC-SHA256 of `id.timestamp.body`, keyed, as Standard Webhooks
 * says, with the bytes that the part after `whsec_` encodes.
 * @param timestampSeconds unix seconds of this attempt
 */
export function signStandard(id: string, timestampSeconds: number, body: string, secret: string): string {
  const encoded = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret;
  const hmac = createHmac('sha256', Buffer.from(encoded, 'base64'));
  return `v1,${hmac.update(`${id}.${timestampSeconds}.${body}`).digest('base64')}`;
}

/**
 * All headers of one attempt.
 *
 * While two secrets sign, `webhook-signature` lists both, the current one first. `X-Webhook-Signature` can hold only
 * one, because its verifier compares the whole header; it is made with the previous secret until that has run out.
 * At the moment of a rotation every receiver still has the previous secret and nothing else. Signed with the new one,
 * each delivery would be answered 401, which is final, until the merchant has deployed; this way nothing breaks while
 * the merchant adds the new secret beside the old one within the 24 hours, and takes the old one out afterwards.
 * @throws when there is no secret: an unsigned webhook must never leave
 */
export function deliveryHeaders(
  job: Pick<DeliveryJob, 'eventId' | 'event' | 'body' | 'attempt' | 'secrets'>,
  timestampSeconds: number,
): Record<string, string> {
  const oldest = job.secrets.at(-1);
  if (oldest === undefined) throw new Error('a webhook needs a secret to be signed with');
  const signatures = job.secrets.map((secret) =>
    signStandard(job.eventId, timestampSeconds, job.body, secret),
  );
  return {
    'content-type': 'application/json',
    'user-agent': USER_AGENT,
    'x-webhook-signature': signBody(job.body, oldest),
    'x-webhook-event': job.event,
    'x-webhook-timestamp': String(timestampSeconds),
    'x-webhook-attempt': String(job.attempt),
    'webhook-id': job.eventId,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': signatures.join(' '),
  };
}
