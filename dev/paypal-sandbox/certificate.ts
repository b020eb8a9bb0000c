/**
 * The key that signs events, and its certificate. Node can read a certificate and not make one, so the few fields of a
 * self-signed X.509 v1 certificate are written here in DER.
 */
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import type { SigningKey } from './types';

const DAY_MS = 24 * 3_600_000;
const NAME = 'messageverificationcerts.sandbox.paypal.test';

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...items: readonly Buffer[]) => der(0x30, ...items);
const bits = (content: Buffer) => der(0x03, Buffer.from([0]), content);
const identifier = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const NULL = der(0x05);
/** sha256WithRSAEncryption */
const ALGORITHM = sequence(identifier('2a864886f70d01010b'), NULL);

const time = (ms: number) => {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${text}Z`));
};

/** An RSA key of 2048 bits and a certificate for ten years, as PEM. */
export function makeSigningKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const commonName = sequence(der(0x31, sequence(identifier('550403'), der(0x0c, Buffer.from(NAME)))));
  const now = Date.now();
  const content = sequence(
    der(0x02, Buffer.from([1])),
    ALGORITHM,
    commonName,
    sequence(time(now - DAY_MS), time(now + 3650 * DAY_MS)),
    commonName,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const certificate = sequence(content, ALGORITHM, bits(sign('sha256', content, privateKey)));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    name: `CERT-${randomUUID()}`,
  };
}
