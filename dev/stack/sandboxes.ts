/** The channels' sandboxes as parts of the stack: what each is called, where it is told to the others, who it knows. */
import type { StackPorts } from './ports';
import { LOOPBACK, SANDBOX_SECRET_KEY, SANDBOX_WEBHOOK_SECRET } from './settings';
import type { Environment, Given } from './settings';

export type SandboxPart = 'sandbox' | 'paypal' | 'alipay' | 'btcpay';

interface Sandbox {
  readonly provider: string;
  readonly label: string;
  readonly what: string;
  /** Below the data folder. */
  readonly folder: string;
  /** The setting that tells API and workers where it is. */
  readonly variable: string;
  readonly given: keyof Given;
  /** Of the process, besides its port and folder. */
  readonly environment: Readonly<Record<string, string>>;
}

export const PAYPAL_CREDENTIALS = {
  client_id: 'holdfast-client',
  client_secret: 'holdfast-secret',
  webhook_id: '8PT597110X687430LKGECATA',
};

export const BTCPAY_CREDENTIALS = {
  store_id: 'HoldfastDemoStore',
  api_key: 'btcpay_holdfast_sandbox',
  webhook_secret: SANDBOX_WEBHOOK_SECRET,
};

/** Alipay's keys are made by its sandbox, which tells them at /_control/credentials. */
export const SANDBOXES: Readonly<Record<SandboxPart, Sandbox>> = {
  sandbox: {
    provider: 'Stripe',
    label: 'Stripe sandbox',
    what: 'a Stripe that answers like Stripe',
    folder: 'stripe-sandbox',
    variable: 'STRIPE_API_BASE',
    given: 'stripe',
    environment: { SANDBOX_SECRET_KEY, SANDBOX_WEBHOOK_SECRET },
  },
  paypal: {
    provider: 'PayPal',
    label: 'PayPal sandbox',
    what: 'orders, captures, refunds',
    folder: 'paypal-sandbox',
    variable: 'PAYPAL_API_BASE',
    given: 'paypal',
    environment: {
      SANDBOX_CLIENTS: `${PAYPAL_CREDENTIALS.client_id}:${PAYPAL_CREDENTIALS.client_secret}`,
    },
  },
  alipay: {
    provider: 'Alipay',
    label: 'Alipay sandbox',
    what: 'pages, trades, refunds, frozen funds',
    folder: 'alipay-sandbox',
    variable: 'ALIPAY_GATEWAY',
    given: 'alipay',
    environment: {},
  },
  btcpay: {
    provider: 'BTCPay Server',
    label: 'BTCPay sandbox',
    what: 'invoices and pull payments',
    folder: 'btcpay-sandbox',
    variable: 'BTCPAY_API_BASE',
    given: 'btcpay',
    environment: {
      SANDBOX_STORE_ID: BTCPAY_CREDENTIALS.store_id,
      SANDBOX_API_KEY: BTCPAY_CREDENTIALS.api_key,
      SANDBOX_WEBHOOK_SECRET: BTCPAY_CREDENTIALS.webhook_secret,
    },
  },
};

export const SANDBOX_PARTS = Object.keys(SANDBOXES) as readonly SandboxPart[];

/**
 * The settings that tell API and workers where the channels of these parts are: at the sandbox that is started, or where
 * the environment says.
 */
export function sandboxAddresses(
  parts: ReadonlySet<string>,
  given: Given,
  environment: Environment,
  ports: StackPorts,
): Record<string, string> {
  const wanted = SANDBOX_PARTS.filter((part) => parts.has(part));
  return Object.fromEntries(
    wanted.map((part) => {
      const { variable, given: isGiven } = SANDBOXES[part];
      return [variable, given[isGiven] ? (environment[variable] ?? '') : `http://${LOOPBACK}:${ports[part]}`];
    }),
  );
}

/** Of a channel that the environment names; Stripe itself where it names only a key. */
export function addressOf(base = ''): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(base || 'https://api.stripe.com');
  return { host: hostname, port: Number(port) || (protocol === 'https:' ? 443 : 80) };
}
