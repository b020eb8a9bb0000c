/** The signatures are verified by code that is not ours: the `standardwebhooks` package and openssl. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { newWebhookSecret } from '../../src/stores/webhook-endpoints';
import { deliveryHeaders, signStandard, USER_AGENT } from '../../src/webhooks/sign';

const body = '{"event":"payment.success","order_no":"Bestellung-ä-订单","amount":50000}';
const nowSeconds = () => Math.floor(Date.now() / 1_000);
const jobWith = (secrets: readonly string[]) => ({
  eventId: '5b0a7f4e-3c5d-5e0a-9f2e-0a1b2c3d4e5f',
  event: 'payment.success',
  body,
  attempt: 3,
  secrets,
});

/** What a merchant without any library does: `openssl dgst -sha256 -hmac "$SECRET"`. */
function opensslHmacHex(secret: string, text: string): string {
  const output = execFileSync('openssl', ['dgst', '-sha256', '-hmac', secret], {
    input: text,
    encoding: 'utf8',
  });
  return output.trim().split(' ').at(-1) ?? '';
}

describe('newWebhookSecret', () => {
  test('is a prefix and 32 random bytes', () => {
    const secret = newWebhookSecret();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(Buffer.from(secret.slice('whsec_'.length), 'base64')).toHaveLength(32);
    expect(newWebhookSecret()).not.toBe(secret);
  });
});

describe('deliveryHeaders', () => {
  test('openssl makes the same X-Webhook-Signature with the secret as it was shown', () => {
    const secret = newWebhookSecret();
    const headers = deliveryHeaders(jobWith([secret]), nowSeconds());
    expect(headers['x-webhook-signature']).toBe(opensslHmacHex(secret, body));
    expect(headers['x-webhook-signature']).not.toBe(opensslHmacHex(newWebhookSecret(), body));
  });

  test('standardwebhooks accepts it, and nothing that was changed', () => {
    const secret = newWebhookSecret();
    const headers = deliveryHeaders(jobWith([secret]), nowSeconds());
    const webhook = new Webhook(secret);
    expect(webhook.verify(body, headers)).toEqual(JSON.parse(body));
    const verifyChanged = (changed: string, other: Record<string, string>) => () =>
      webhook.verify(changed, { ...headers, ...other });
    expect(verifyChanged(`${body} `, {})).toThrow(WebhookVerificationError);
    expect(verifyChanged(body, { 'webhook-id': 'another' })).toThrow(WebhookVerificationError);
    const later = String(nowSeconds() + 1);
    expect(verifyChanged(body, { 'webhook-timestamp': later })).toThrow(WebhookVerificationError);
    expect(() => new Webhook(newWebhookSecret()).verify(body, headers)).toThrow(WebhookVerificationError);
  });

  test('an old delivery cannot be replayed', () => {
    const secret = newWebhookSecret();
    const headers = deliveryHeaders(jobWith([secret]), nowSeconds() - 600);
    expect(() => new Webhook(secret).verify(body, headers)).toThrow(/too old/);
  });

  test('while two secrets sign, a receiver with either verifies', () => {
    const [current, previous] = [newWebhookSecret(), newWebhookSecret()];
    const headers = deliveryHeaders(jobWith([current, previous]), nowSeconds());
    for (const secret of [current, previous])
      expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
    expect(headers['webhook-signature']?.split(' ')).toHaveLength(2);
    // One value only: the receiver that compares the whole header goes on with what it has.
    expect(headers['x-webhook-signature']).toBe(opensslHmacHex(previous, body));
  });

  test('says which event, when and which attempt', () => {
    expect(deliveryHeaders(jobWith([newWebhookSecret()]), 1_737_715_200)).toMatchObject({
      'content-type': 'application/json',
      'x-webhook-event': 'payment.success',
      'x-webhook-timestamp': '1737715200',
      'x-webhook-attempt': '3',
      'webhook-id': '5b0a7f4e-3c5d-5e0a-9f2e-0a1b2c3d4e5f',
      'webhook-timestamp': '1737715200',
    });
  });

  test('nothing leaves unsigned', () => {
    expect(() => deliveryHeaders(jobWith([]), nowSeconds())).toThrow(/secret/);
  });

  test('the user agent carries the version of the package', () => {
    const text = readFileSync(join(__dirname, '../../package.json'), 'utf8');
    const { version } = JSON.parse(text) as { version: string };
    expect(USER_AGENT).toBe(`holdfast/${version}`);
  });
});

test('the test vector of Standard Webhooks', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const payload = '{"test": 2432232314}';
  expect(signStandard('msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, payload, secret)).toBe(
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  );
});
