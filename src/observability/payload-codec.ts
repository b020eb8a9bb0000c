/**
 * Encryption of what Temporal keeps: arguments, results, messages, memos, summaries, heartbeats and the texts of failures.
 * A whole payload is sealed with AES-256-GCM; its metadata names the key, so that keys can be rotated. Ids of workflows,
 * names and search attributes stay readable, and so do headers.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import type { PayloadSettings } from '../config/payload-settings';

const PayloadMessage = temporal.api.common.v1.Payload;

/** What the Web UI and the SDKs of other languages call it too. */
const ENCODING = Buffer.from('binary/encrypted');
const CIPHER = Buffer.from('A256GCM');
const KEY_ID = 'encryption-key-id';
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NONCE_FROM = SALT_BYTES;
const TAG_FROM = NONCE_FROM + NONCE_BYTES;
const TEXT_FROM = TAG_FROM + TAG_BYTES;
/** Keeps the keys derived here apart from whatever else the same bytes might be used for. */
const DERIVATION = 'holdfast payload v1';

/** @returns the id of the key that a payload is sealed with; undefined: it is not sealed */
export function keyIdOf({ metadata }: Payload): string | undefined {
  if (metadata?.['encoding'] === undefined || !ENCODING.equals(metadata['encoding'])) return undefined;
  return Buffer.from(metadata[KEY_ID] ?? []).toString();
}

/**
 * @param keyRing `id:base64` of 32 bytes each, comma separated, at least one; the first encrypts, all decrypt
 * @param encrypts false: payloads leave as they are, and what is sealed is opened
 */
export function createPayloadCodec(keyRing: string, encrypts: boolean): PayloadCodec {
  const keys = new Map(
    keyRing.split(',').map((entry) => {
      const [id = '', base64 = ''] = entry.split(':');
      return [id, Buffer.from(base64, 'base64')] as const;
    }),
  );
  const [first] = keys;
  if (first === undefined || first[1].length === 0) throw new Error('HOLDFAST_PAYLOAD_KEYS names no key');
  const [currentId, current] = first;
  return {
    // Async, so that what is thrown is a rejection.
    // eslint-disable-next-line @typescript-eslint/require-await
    async encode(payloads) {
      return encrypts ? payloads.map((payload) => seal(payload, currentId, current)) : payloads;
    },
    /** @throws Error (rejects) when a key is unknown or a payload was changed; what is not sealed passes as it is */
    // eslint-disable-next-line @typescript-eslint/require-await
    async decode(payloads) {
      return payloads.map((payload) => {
        const keyId = keyIdOf(payload);
        if (keyId === undefined) return payload;
        const key = keys.get(keyId);
        if (key === undefined) {
          throw new Error(`a payload names the key "${keyId}", which is not in HOLDFAST_PAYLOAD_KEYS`);
        }
        try {
          return open(payload, key);
        } catch (cause) {
          throw new Error(`a payload cannot be opened: changed, or the key "${keyId}" is another one`, {
            cause,
          });
        }
      });
    },
  };
}

/**
 * Each payload has a key of its own. Under one key with nonces by chance, GCM is safe for some 2^32 texts: a few weeks
 * of a busy gateway.
 */
function derive(key: Buffer, salt: Buffer): Buffer {
  return createHmac('sha256', key).update(DERIVATION).update(salt).digest();
}

function seal(payload: Payload, keyId: string, key: Buffer): Payload {
  const random = randomBytes(SALT_BYTES + NONCE_BYTES);
  const derived = derive(key, random.subarray(0, SALT_BYTES));
  const cipher = createCipheriv('aes-256-gcm', derived, random.subarray(NONCE_FROM));
  const text = Buffer.concat([cipher.update(PayloadMessage.encode(payload).finish()), cipher.final()]);
  return {
    metadata: { encoding: ENCODING, 'encryption-cipher': CIPHER, [KEY_ID]: Buffer.from(keyId) },
    data: Buffer.concat([random, cipher.getAuthTag(), text]),
  };
}

function open({ data }: Payload, key: Buffer): Payload {
  const bytes = Buffer.from(data ?? []);
  // A shorter tag would be checked as far as it goes.
  if (bytes.length < TEXT_FROM) throw new Error('a sealed payload is too short to be one');
  const derived = derive(key, bytes.subarray(0, SALT_BYTES));
  const decipher = createDecipheriv('aes-256-gcm', derived, bytes.subarray(NONCE_FROM, TAG_FROM));
  decipher.setAuthTag(bytes.subarray(TAG_FROM, TEXT_FROM));
  return PayloadMessage.decode(Buffer.concat([decipher.update(bytes.subarray(TEXT_FROM)), decipher.final()]));
}

/** For clients and workers alike; without keys it is Temporal's own. */
export function createDataConverter(settings: PayloadSettings): DataConverter {
  const { HOLDFAST_PAYLOAD_KEYS: keyRing, HOLDFAST_PAYLOAD_ENCRYPTION: encrypts } = settings;
  if (keyRing === '') return {};
  const payloadCodecs = [createPayloadCodec(keyRing, encrypts)];
  return { payloadCodecs, ...(encrypts && { failureConverterPath: FAILURE_CONVERTER_PATH }) };
}

/** For bundleWorkflowCode, because workflows make failures themselves. */
export const FAILURE_CONVERTER_PATH = require.resolve('./encoded-failures');
const IN_THE_BUNDLE = 'observability/encoded-failures';

/**
 * A bundle built without the failure converter would leave the texts of workflows' own failures readable.
 * @param codePath of a prebuilt bundle
 * @throws Error when payloads are to be encrypted and the bundle was built for the other case
 */
export function assertBundleFits(codePath: string, { failureConverterPath }: DataConverter): void {
  if (failureConverterPath === undefined || readFileSync(codePath, 'utf8').includes(IN_THE_BUNDLE)) return;
  throw new Error(
    'the bundle WORKFLOW_BUNDLE names was built without encoded failures: build it with HOLDFAST_PAYLOAD_KEYS set',
  );
}
