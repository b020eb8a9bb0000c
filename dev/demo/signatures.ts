/** A merchant's two ways to know that a webhook is Holdfast's. Nothing of Holdfast's own code checks its signatures here. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import type { ReceivedRequest } from './receiver';

type Signed = Pick<ReceivedRequest, 'headers' | 'body'>;

/** The `standardwebhooks` package: id, time (at most five minutes off) and body. */
export function holdsByLibrary({ headers, body }: Signed, secret: string): boolean {
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}

/** `X-Webhook-Signature`: hex HMAC-SHA256 of the body, keyed with the secret as it was shown. */
export function holdsByHmac({ headers, body }: Signed, secret: string): boolean {
  const expected = Buffer.from(createHmac('sha256', secret).update(body).digest('hex'));
  const given = Buffer.from(String(headers['x-webhook-signature']));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

export function holdsBothWays(request: Signed, secret: string): boolean {
  return holdsByLibrary(request, secret) && holdsByHmac(request, secret);
}
