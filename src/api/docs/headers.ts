/** Headers of requests and answers, each described once and referred to. */
import type { Route } from '../route';

const text = { type: 'string' } as const;
const count = { type: 'integer', minimum: 0 } as const;

export const RESPONSE_HEADERS = {
  'X-Request-Id': {
    description: 'Names this request in our logs: yours when you sent a sane one, else made up',
    schema: text,
    example: '4f0c8f0e-3d6e-4b53-9a2e-0c8f9d5d7a10',
  },
  'Content-Language': {
    description: 'The language of `message`',
    schema: { type: 'string', enum: ['en', 'zh'] },
    example: 'en',
  },
  'Idempotent-Replayed': {
    description: 'Present when this is the stored answer of an earlier request with this Idempotency-Key',
    schema: { type: 'string', enum: ['true'] },
    example: 'true',
  },
  Location: {
    description: 'Ask here for the outcome',
    schema: text,
    example: '/api/v1/pre-auth/PA20250124001',
  },
  'Retry-After': { description: 'Seconds to wait before the next try', schema: count, example: 1 },
  'X-RateLimit-Limit': {
    description: 'Requests per second of your tier; above it only the burst goes through',
    schema: count,
    example: 50,
  },
  'X-RateLimit-Remaining': {
    description: 'Requests left of the tightest check',
    schema: count,
    example: 49,
  },
  'X-RateLimit-Reset': {
    description: 'Unix seconds when the tightest check has more left',
    schema: count,
    example: 1737715261,
  },
  'X-RateLimit-Tier': { description: 'Your tier', schema: text, example: 'business' },
  'X-RateLimit-Warning': {
    description: 'Present from 80 % of the minute or hour limit on',
    schema: text,
    example: 'at least 80% of the minute or hour limit is used',
  },
  RateLimit: {
    description: 'The tightest check (IETF draft): r requests left, more in t seconds',
    schema: text,
    example: '"second";r=49;t=1',
  },
  'RateLimit-Policy': {
    description: 'Every check (IETF draft): quota and window in seconds',
    schema: text,
    example:
      '"second";q=100;w=2, "minute";q=2500;w=60, "hour";q=50000;w=3600, "concurrent";q=50;qu="concurrent-requests"',
  },
} as const;
export type ResponseHeader = keyof typeof RESPONSE_HEADERS;

const RATE_LIMIT: readonly ResponseHeader[] = [
  ...(['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset', 'X-RateLimit-Tier'] as const),
  ...(['X-RateLimit-Warning', 'RateLimit', 'RateLimit-Policy'] as const),
];

interface Ref {
  readonly $ref: string;
}

/** The headers an answer of this route may have. */
export function headersOf(route: Route, status: number, isEnveloped: boolean): Record<string, Ref> {
  const names: ResponseHeader[] = ['X-Request-Id'];
  if (isEnveloped) names.push('Content-Language');
  if (route.idempotent === true && (status < 300 || status === 402)) names.push('Idempotent-Replayed');
  if (status === 202) names.push('Location');
  if (status === 429 || status === 503) names.push('Retry-After');
  if (route.auth === 'merchant' && status !== 401) names.push(...RATE_LIMIT);
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

const header = (name: string, description: string, example: string, schema: object = text) => ({
  ...{ name, in: 'header', required: false, description, schema, example },
});

/** Optional headers of requests beside Idempotency-Key. */
export const REQUEST_HEADERS = {
  'Accept-Language': header(
    'Accept-Language',
    '`zh` where you prefer Chinese messages; else they are English',
    'en',
  ),
  'X-Request-Id': header(
    'X-Request-Id',
    'A name of your own for this request: up to 64 of `A-Za-z0-9._-`',
    'shop-7-000042',
  ),
  'X-Holdfast-Timestamp': header(
    'X-Holdfast-Timestamp',
    'Unix seconds, at most 5 minutes off. This and the next two are needed only where requests must be signed',
    '1737715200',
  ),
  'X-Holdfast-Nonce': header(
    'X-Holdfast-Nonce',
    'Made up for this request and used once',
    '7d1f0a52c3e94b6f8a10',
    { type: 'string', minLength: 16, maxLength: 64 },
  ),
  'X-Holdfast-Signature': header(
    'X-Holdfast-Signature',
    '`v1=` and the hex HMAC-SHA256, with the signing secret, of ' +
      '`{timestamp}.{nonce}.{METHOD}.{path with query}.{hex SHA-256 of the body}`',
    `v1=${'0'.repeat(64)}`,
  ),
} as const;

/** The optional headers a route takes, as references. */
export function requestHeadersOf(route: Route): Ref[] {
  const names = Object.keys(REQUEST_HEADERS);
  const taken = route.auth === 'merchant' ? names : names.filter((name) => !name.startsWith('X-Holdfast-'));
  return taken.map((name) => ({ $ref: `#/components/parameters/${name}` }));
}
