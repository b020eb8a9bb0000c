/**
 * Encryption at rest: AES-256-GCM, a fresh nonce per value, the key's id beside it so that keys can be rotated.
 * A sealed text is `v1.<key id>.<base64url of nonce, tag, ciphertext>` and opens only for the purpose it was sealed for.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Without it a shorter tag would be checked as far as it goes. */
const TAG = { authTagLength: TAG_BYTES };

export interface SecretBox {
  /** @param purpose table and column: a value moved elsewhere does not open */
  seal(plain: string, purpose: string): string;
  /** @throws Error when the key is unknown, or the text was changed or sealed for another purpose */
  open(sealed: string, purpose: string): string;
}

/** @param keyRing `id:base64` of 32 bytes each, comma separated; the first encrypts, all decrypt */
export function createSecretBox(keyRing: string): SecretBox {
  const keys = keyRing.split(',').map((entry) => {
    const [id = '', base64 = ''] = entry.split(':');
    return { id, key: Buffer.from(base64, 'base64') };
  });
  const current = keys[0];
  if (current === undefined) throw new Error('HOLDFAST_ENCRYPTION_KEYS names no key');
  return {
    seal(plain, purpose) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', current.key, nonce, TAG).setAAD(Buffer.from(purpose));
      const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return `v1.${current.id}.${Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64url')}`;
    },
    open(sealed, purpose) {
      const [version, id, data] = sealed.split('.');
      const found = keys.find((candidate) => candidate.id === id);
      if (version !== 'v1' || found === undefined || data === undefined) {
        throw new Error(
          `a sealed value names the key "${id ?? ''}", which is not in HOLDFAST_ENCRYPTION_KEYS`,
        );
      }
      const bytes = Buffer.from(data, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', found.key, bytes.subarray(0, NONCE_BYTES), TAG);
      decipher.setAAD(Buffer.from(purpose));
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      return Buffer.concat([
        decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)),
        decipher.final(),
      ]).toString('utf8');
    },
  };
}
