/**
 * Every setting is an environment variable, read once and checked here. `.env.example` is generated from this schema
 * (npm run generate), so a variable that is not described below does not exist.
 */
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { codecSettings, payloadSettings } from './payload-settings';
import { traceSettings } from './trace-settings';
import { retentionSettings } from './retention-settings';

const seconds = (fallback: number) => z.coerce.number().positive().default(fallback);
const port = (fallback: number) => z.coerce.number().int().min(0).max(65535).default(fallback);
const count = (fallback: number, max: number) => z.coerce.number().int().min(1).max(max).default(fallback);
const flag = (fallback: boolean) =>
  z
    .enum(['true', 'false'])
    .default(fallback ? 'true' : 'false')
    .transform((text) => text === 'true');

const addressAndPort = z
  .string()
  .regex(/^((\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:]+\]):\d{1,5})?$/, 'expected an IP address and a port')
  .default('');

const KEY_RING = /^[A-Za-z0-9_-]{1,16}:[A-Za-z0-9+/]{43}=(,[A-Za-z0-9_-]{1,16}:[A-Za-z0-9+/]{43}=)*$/;

export const configSchema = z.object({
  NODE_ENV: z
    .enum(['development', 'test', 'production'])
    .default('development')
    .describe('production: webhook URLs must be https'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent'])
    .default('info')
    .describe('Logs are one JSON object a line'),

  API_HOST: z.string().min(1).default('127.0.0.1').describe('Address the API listens on'),
  API_PORT: port(40005).describe('Port the API listens on'),
  API_WAIT_TIMEOUT: seconds(15).describe('Seconds a request waits for the channel before it is answered 202'),
  WORKER_HEALTH_PORT: port(40006).describe('Port of the worker process for /healthz and /readyz'),

  TRUSTED_PROXIES: z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((network) => network.trim() || []))
    .refine(
      (networks) => networks.every((network) => ipaddr.isValidCIDR(network)),
      'expected networks, comma separated, e.g. 10.0.0.0/8',
    )
    .describe(
      'Networks of the proxies before the API, comma separated: what they say in X-Forwarded-For is believed; empty: nobody',
    ),
  IP_LIMIT_PER_MINUTE: count(1_000, 1_000_000).describe(
    'Requests without a valid key that one address (IPv6: one /64) may send in any minute, over all processes',
  ),
  IP_MAX_CONNECTIONS: count(2_000, 15_000).describe(
    'Connections one address (IPv6: one /64) may have open to one process; those of TRUSTED_PROXIES are not counted',
  ),

  RATE_LIMIT_LEASE_SECONDS: count(60, 3_600).describe(
    'Seconds after which the requests of a process that died no longer count as at work',
  ),
  RATE_LIMIT_TIMEOUT: seconds(0.25).describe(
    'Seconds one question to Redis may take; after three slow ones each process limits by itself',
  ),
  RATE_LIMIT_PROCESSES: count(1, 10_000).describe(
    'API processes that share the limits, as long as Redis has not been asked how many there are',
  ),
  RATE_LIMIT_MULTIPLIER: count(1, 10_000).describe(
    "What all tiers' numbers are multiplied by, for benches and tests of something else",
  ),
  LOAD_LOOP_DELAY: seconds(0.1).describe(
    'Seconds the event loop may be late: beyond it tiers are scaled down, to half at twice of it; then requests are refused',
  ),
  LOAD_IN_FLIGHT: count(1_000, 1_000_000).describe(
    'Requests one process may be at work on: beyond it tiers are scaled down, to half at twice of it; then requests are refused',
  ),

  API_METRICS_ADDRESS: addressAndPort.describe(
    'IP address and port, e.g. 127.0.0.1:40009, where an API process shows its metrics to Prometheus under /metrics; empty: nowhere',
  ),
  WORKER_METRICS_ADDRESS: addressAndPort.describe(
    'IP address and port, e.g. 127.0.0.1:40007, where a worker shows its metrics to Prometheus under /metrics; empty: nowhere',
  ),
  ...traceSettings,

  HOLDFAST_ADMIN_KEY: z
    .string()
    .min(24)
    .max(200)
    .describe('Bearer key of /api/v1/admin/*; at least 24 characters; the API alone needs it'),
  HOLDFAST_ENCRYPTION_KEYS: z
    .string()
    .regex(KEY_RING, 'expected id:base64-of-32-bytes, comma separated; the first one encrypts')
    .describe(
      'Keys of the encryption at rest, "id:base64" of 32 bytes each, comma separated; the first encrypts, all decrypt',
    ),
  ...payloadSettings,

  ...codecSettings,

  DB_HOST: z.string().min(1).default('localhost').describe('PostgreSQL'),
  DB_PORT: port(40432).describe('PostgreSQL port'),
  DB_USER: z.string().min(1).default('postgres').describe('PostgreSQL user'),
  DB_PASSWORD: z.string().default('postgres').describe('PostgreSQL password'),
  DB_NAME: z.string().min(1).default('payment_gateway').describe('PostgreSQL database'),
  DB_POOL_SIZE: count(10, 200).describe('Connections each process keeps at most'),
  DB_SSL: flag(false).describe('true: connect to PostgreSQL with TLS'),

  REDIS_HOST: z.string().min(1).default('localhost').describe('Redis'),
  REDIS_PORT: port(6379).describe('Redis port'),
  REDIS_PASSWORD: z.string().default('').describe('Redis password; empty for none'),
  REDIS_KEY_PREFIX: z
    .string()
    .max(100)
    .default('')
    .describe('Put before the keys of routing, where several installations share a Redis; empty for none'),

  PAYMENTS_TASK_QUEUE: z
    .string()
    .min(1)
    .default('payments')
    .describe('Temporal task queue of holds, payments and refunds'),
  WEBHOOKS_TASK_QUEUE: z
    .string()
    .min(1)
    .default('webhooks')
    .describe('Temporal task queue of webhook deliveries that must be retried'),
  WORKER_ROLES: z
    .string()
    .default('payments,webhooks,relay')
    .transform((text) => [...new Set(text.split(',').map((role) => role.trim()))])
    .pipe(z.array(z.enum(['payments', 'webhooks', 'relay'])).min(1))
    .describe(
      'What a worker process serves, comma separated: payments, webhooks (retries), relay (first attempts)',
    ),
  WORKFLOW_BUNDLE: z
    .string()
    .default('')
    .describe('Path of a prebuilt workflow bundle; empty: bundled when the worker starts'),

  STRIPE_API_BASE: z
    .string()
    .default('')
    .describe('Stripe API base URL, e.g. http://127.0.0.1:12111 for the sandbox; empty: Stripe itself'),
  PAYPAL_API_BASE: z
    .string()
    .default('')
    .describe("PayPal API base URL, for a sandbox of one's own; empty: PayPal itself"),
  ALIPAY_GATEWAY: z.string().default('').describe('Address of Alipay, for a sandbox; empty: Alipay itself'),
  API_PUBLIC_URL: z
    .string()
    .default('')
    .describe(
      'Where channels reach this API; told to Alipay with each payment; empty: as set in the application there',
    ),
  BTCPAY_API_BASE: z
    .string()
    .default('')
    .describe(
      "Used instead of the base_url of every crypto account, for a sandbox; empty: the accounts' own",
    ),
  CHANNEL_TIMEOUT: seconds(4).describe('Seconds one exchange with a channel may take at the first attempt'),
  CHANNEL_SLOW_TIMEOUT: seconds(25).describe(
    'Seconds one exchange may take when an outcome is being settled',
  ),
  SETTLE_PROOF_GAP: seconds(60).describe('Seconds between the two reads that prove a call was not executed'),
  SETTLE_PROOF_AFTER_SEND: seconds(120).describe(
    'Seconds between the last send and the second of those reads, at least',
  ),

  PRE_AUTH_MIN_EXPIRES_IN: z.coerce
    .number()
    .int()
    .min(1)
    .max(86_400)
    .default(60)
    .describe('Shortest expires_in of a hold, in seconds'),
  PAYMENT_EXPIRES_IN: z.coerce
    .number()
    .int()
    .min(1)
    .max(86_400)
    .default(1800)
    .describe('Seconds a payment waits for its customer when the request does not say'),
  PAYMENT_MIN_EXPIRES_IN: z.coerce
    .number()
    .int()
    .min(1)
    .max(86_400)
    .default(60)
    .describe('Shortest expires_in of a payment, in seconds'),
  PICKUP_INTERVAL: seconds(60).describe(
    'Seconds between two runs of the pick-up (events not processed, holds without a workflow)',
  ),

  RECONCILE_INTERVAL: seconds(3600).describe('Seconds between two runs of reconciliation with the channels'),
  RECONCILE_CLOSED_DAYS: z.coerce
    .number()
    .positive()
    .max(366)
    .default(3)
    .describe('Days after its end for which an object is compared with its channel'),

  ROUTING_STRATEGY: z
    .enum(['balanced', 'cost', 'success', 'geographic'])
    .default('balanced')
    .describe('Order of the routing strategies'),
  ROUTING_LEARNING: z
    .enum(['off', 'thompson'])
    .default('off')
    .describe('How success rates are compared: as they are, or drawn from what they leave open'),
  ROUTING_EXPLORATION: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe('Share of the decisions that try another eligible channel, to keep success rates fresh'),
  GEOIP_DATABASE: z
    .string()
    .default('')
    .describe("An .mmdb file that tells the country of a customer's address; empty: none"),

  WEBHOOK_RETRY_INTERVAL: seconds(300).describe('Seconds between two sweeps over overdue webhook retries'),
  WEBHOOK_MAX_RETRIES: z.coerce
    .number()
    .int()
    .min(0)
    .max(40)
    .default(5)
    .describe('Retries after the first attempt, unless the endpoint says otherwise'),
  WEBHOOK_INITIAL_BACKOFF: seconds(1).describe('Seconds that the retry ladder is multiplied with'),
  WEBHOOK_MAX_BACKOFF: seconds(3600).describe('Seconds no pause of the retry ladder exceeds'),
  WEBHOOK_TIMEOUT: seconds(30).describe('Seconds one delivery may take'),
  WEBHOOK_JITTER: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('Share of a pause that is left to chance: 0.2 makes it 0.8 to 1.2 times as long'),
  WEBHOOK_MAX_IN_FLIGHT_PER_ENDPOINT: count(10, 1_000).describe(
    'Deliveries to one endpoint at once, over all processes',
  ),
  WEBHOOK_MAX_IN_RETRY_PER_ENDPOINT: count(50, 10_000).describe(
    'Notifications of one endpoint that a workflow of their own carries; the relay carries the others',
  ),
  WEBHOOK_MAX_IN_FLIGHT: count(1_000, 20_000).describe('Deliveries one relay process makes at once'),
  WEBHOOK_LEASE_MARGIN: seconds(30).describe(
    'Seconds a lease outlives the time-out of its delivery; then another process may deliver again',
  ),
  WEBHOOK_PROBE_INTERVAL: seconds(30).describe(
    'Seconds between two probes of an endpoint that does not answer',
  ),
  WEBHOOK_GATE_WINDOW: seconds(10).describe(
    'Seconds without a 2xx, besides 20 failures in a row, after which an endpoint gets probes only',
  ),
  WEBHOOK_OVERDUE: seconds(60).describe('Seconds after which a retry that nobody made is swept up'),
  WEBHOOK_DISABLE_AFTER: seconds(432_000).describe(
    'Seconds (5 days) without one success in at least 10 attempts after which an endpoint is switched off',
  ),
  WEBHOOK_RETENTION_DAYS: z.coerce
    .number()
    .positive()
    .default(30)
    .describe('Days delivered notifications are kept, and days undelivered ones of a disabled endpoint wait'),
  ...retentionSettings,

  WEBHOOK_BLOCKED_PORTS: z
    .string()
    .regex(/^(\d{1,5}(,\d{1,5})*)?$/, 'expected port numbers, comma separated')
    .default('')
    .describe('Ports webhook URLs may not name, comma separated, e.g. 22,25,3306,5432,6379'),
  WEBHOOK_ALLOWED_CIDRS: z
    .string()
    .default('')
    .describe(
      'Networks webhook URLs may point to although they are not public, comma separated (development)',
    ),
});

export type Config = z.infer<typeof configSchema>;

/**
 * Reads and checks the settings once, at the start of a process.
 * @throws Error whose message names every variable that is missing or wrong, one a line.
 */
export function loadConfig(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  schema: z.ZodType<Config> = configSchema,
): Config {
  const result = schema.safeParse(environment);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`These settings are missing or wrong (see .env.example):\n${lines.join('\n')}`);
}
