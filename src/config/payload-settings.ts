/** The settings of what Temporal keeps of payloads, and of the codec server that reads it to operators. */
import { z } from 'zod';

const KEY = '[A-Za-z0-9_-]{1,16}:[A-Za-z0-9+/]{43}=';
const KEY_RING = new RegExp(`^(${KEY}(,${KEY})*)?$`);
const TOKEN_RING =
  /^([A-Za-z0-9_-]{1,32}:[A-Za-z0-9_-]{24,200}(,[A-Za-z0-9_-]{1,32}:[A-Za-z0-9_-]{24,200})*)?$/;
/** `scheme://host[:port]`, as browsers write it: no path, no slash at the end. */
const ORIGIN = /^https?:\/\/[^/\s,*]+$/;

const flag = (fallback: 'true' | 'false') =>
  z
    .enum(['true', 'false'])
    .default(fallback)
    .transform((text) => text === 'true');

/** Of two keys of one name only the first would ever be found. */
function namesDiffer(ring: string): boolean {
  const names = ring.split(',').map((entry) => entry.split(':')[0]);
  return new Set(names).size === names.length;
}

/** What API, workers and codec server have in common. */
export const payloadSettings = {
  HOLDFAST_PAYLOAD_KEYS: z
    .string()
    .regex(KEY_RING, 'expected id:base64-of-32-bytes, comma separated; the first one encrypts')
    .refine(namesDiffer, 'two keys have the same id')
    .default('')
    .describe(
      'Keys of what Temporal keeps, "id:base64" of 32 bytes each, comma separated; the first encrypts, all decrypt; empty: it is kept as it is',
    ),
  HOLDFAST_PAYLOAD_ENCRYPTION: flag('true').describe(
    'false: the payload keys only decrypt, the first step of switching encryption on and the last of switching it off',
  ),
};

export const codecSettings = {
  CODEC_HOST: z.string().min(1).default('127.0.0.1').describe('Address the codec server listens on'),
  CODEC_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65535)
    .default(40010)
    .describe('Port the codec server listens on'),
  CODEC_TOKENS: z
    .string()
    .regex(TOKEN_RING, 'expected name:token with 24 to 200 of A-Z a-z 0-9 _ -, comma separated')
    .refine(namesDiffer, 'two tokens have the same name')
    .default('')
    .describe(
      'Bearer tokens the codec server takes, "name:token" each, comma separated; the name is what its log says',
    ),
  CODEC_ORIGINS: z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((origin) => origin.trim() || []))
    .refine(
      (origins) => origins.every((origin) => ORIGIN.test(origin)),
      'expected origins, comma separated, e.g. https://temporal.example.com',
    )
    .describe('Origins of the Temporal Web UI whose pages may ask the codec server, comma separated'),
  CODEC_TOKEN_IN_PATH: flag('false').describe(
    'true: the token may be the first part of the path too, for a Web UI that has no other place for it (development)',
  ),
};

export type PayloadSettings = z.infer<z.ZodObject<typeof payloadSettings>>;
export type CodecSettings = z.infer<z.ZodObject<typeof codecSettings>>;
