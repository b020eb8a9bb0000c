/** What the stack's environment is made of: addresses of what runs, secrets, and settings that suit a laptop. */
import type { DevSecrets } from './secrets';
import type { StackPorts } from './ports';
import { POSTGRES_PASSWORD, POSTGRES_USER } from './postgres';

export type Environment = Readonly<Record<string, string | undefined>>;

export const LOOPBACK = '127.0.0.1';
export const SANDBOX_SECRET_KEY = 'sk_test_holdfast_sandbox';
export const SANDBOX_PUBLISHABLE_KEY = 'pk_test_holdfast_sandbox';
export const SANDBOX_WEBHOOK_SECRET = 'whsec_holdfast_sandbox';

/** What the environment names instead of having it started. */
export interface Given {
  readonly postgres: boolean;
  readonly redis: boolean;
  readonly temporal: boolean;
  readonly stripe: boolean;
  readonly paypal: boolean;
  readonly alipay: boolean;
  readonly btcpay: boolean;
}

export function whatIsGiven(environment: Environment): Given {
  const has = (name: string) => (environment[name] ?? '') !== '';
  return {
    postgres: has('DB_HOST'),
    redis: has('REDIS_HOST'),
    temporal: has('TEMPORAL_ADDRESS'),
    stripe: has('STRIPE_SECRET_KEY'),
    paypal: has('PAYPAL_API_BASE'),
    alipay: has('ALIPAY_GATEWAY'),
    btcpay: has('BTCPAY_API_BASE'),
  };
}

/** The settings a child process gets on top of PATH and the like; every value is text. */
export function stackEnvironment(
  given: Given,
  environment: Environment,
  ports: StackPorts,
  secrets: DevSecrets,
): Record<string, string> {
  const own = (name: string, fallback: string) => environment[name] || fallback;
  const settings: Record<string, string> = {
    NODE_ENV: own('NODE_ENV', 'development'),
    LOG_LEVEL: own('LOG_LEVEL', 'info'),
    API_HOST: LOOPBACK,
    API_PORT: String(ports.api),
    WORKER_HEALTH_PORT: String(ports.workerHealth),
    HOLDFAST_ADMIN_KEY: own('HOLDFAST_ADMIN_KEY', secrets.HOLDFAST_ADMIN_KEY),
    HOLDFAST_ENCRYPTION_KEYS: own('HOLDFAST_ENCRYPTION_KEYS', secrets.HOLDFAST_ENCRYPTION_KEYS),
    HOLDFAST_PAYLOAD_KEYS: own('HOLDFAST_PAYLOAD_KEYS', secrets.HOLDFAST_PAYLOAD_KEYS),
    // `false` shows how it is without: what is new stands readable in Temporal, and what was sealed is still opened.
    HOLDFAST_PAYLOAD_ENCRYPTION: own('HOLDFAST_PAYLOAD_ENCRYPTION', 'true'),
    DB_HOST: given.postgres ? own('DB_HOST', '') : LOOPBACK,
    DB_PORT: given.postgres ? own('DB_PORT', '5432') : String(ports.postgres),
    DB_USER: given.postgres ? own('DB_USER', POSTGRES_USER) : POSTGRES_USER,
    DB_PASSWORD: given.postgres ? (environment['DB_PASSWORD'] ?? '') : POSTGRES_PASSWORD,
    DB_NAME: own('DB_NAME', 'payment_gateway'),
    DB_SSL: given.postgres ? own('DB_SSL', 'false') : 'false',
    REDIS_HOST: given.redis ? own('REDIS_HOST', '') : LOOPBACK,
    REDIS_PORT: given.redis ? own('REDIS_PORT', '6379') : String(ports.redis),
    REDIS_PASSWORD: given.redis ? own('REDIS_PASSWORD', '') : '',
    TEMPORAL_ADDRESS: given.temporal ? own('TEMPORAL_ADDRESS', '') : `${LOOPBACK}:${ports.temporal}`,
    TEMPORAL_NAMESPACE: own('TEMPORAL_NAMESPACE', 'default'),
    STRIPE_API_BASE: given.stripe ? own('STRIPE_API_BASE', '') : `http://${LOOPBACK}:${ports.sandbox}`,
    PRE_AUTH_MIN_EXPIRES_IN: own('PRE_AUTH_MIN_EXPIRES_IN', '1'),
    PAYMENT_MIN_EXPIRES_IN: own('PAYMENT_MIN_EXPIRES_IN', '1'),
    // The receiver of the demo listens on this machine, which the guard of webhook URLs refuses otherwise.
    WEBHOOK_ALLOWED_CIDRS: own('WEBHOOK_ALLOWED_CIDRS', '127.0.0.0/8,::1/128'),
  };
  return settings;
}

/** What the codec server has on top of that; nobody else needs to know its tokens. */
export function codecEnvironment(
  environment: Environment,
  ports: StackPorts,
  secrets: DevSecrets,
): Record<string, string> {
  const pages = [`http://${LOOPBACK}:${ports.temporalUi}`, `http://localhost:${ports.temporalUi}`];
  return {
    CODEC_HOST: LOOPBACK,
    CODEC_PORT: String(ports.codec),
    CODEC_TOKENS: environment['CODEC_TOKENS'] || secrets.CODEC_TOKENS,
    CODEC_ORIGINS: environment['CODEC_ORIGINS'] || pages.join(','),
    // Temporal's development server has no other place for it.
    CODEC_TOKEN_IN_PATH: 'true',
  };
}

/** The address to give to a Web UI without a login: the first token stands in it. */
export function codecEndpoint({ CODEC_PORT, CODEC_TOKENS = '' }: Environment): string {
  const token = CODEC_TOKENS.split(',')[0]?.split(':')[1] ?? '';
  return `http://${LOOPBACK}:${CODEC_PORT}/${token}`;
}

export function sandboxEnvironment(port: number, dataDir: string): Record<string, string> {
  return {
    PORT: String(port),
    SANDBOX_DATA_DIR: dataDir,
    SANDBOX_SECRET_KEY,
    SANDBOX_WEBHOOK_SECRET,
  };
}
