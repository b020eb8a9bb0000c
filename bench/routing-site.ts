/** Where routing is measured: a stack of several API processes and two workers, with accounts at Stripe and PayPal. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callApi, createDemoMerchant, expectOk } from '../dev/demo-client';
import { seedAccounts, urlsOfSandboxes } from '../dev/seed-accounts';
import { CORE_PARTS } from '../dev/stack/parts';
import { startStack } from '../dev/stack/stack';
import type { Stack } from '../dev/stack/stack';
import { note } from '../dev/terminal';

/** By country, whatever was observed: where an order goes then shows who is in service. */
const ENVIRONMENT = { LOG_LEVEL: 'warn', ROUTING_STRATEGY: 'geographic' };

export interface RoutingSite {
  readonly stack: Stack;
  readonly apiUrls: readonly string[];
  readonly paypalUrl: string;
  readonly adminKey: string;
  readonly apiKey: string;
}

/** Starts everything, runs `work` and removes everything, whatever becomes of it. */
export async function withRoutingSite(
  apiCount: number,
  work: (site: RoutingSite) => Promise<void>,
): Promise<void> {
  const stack = await startStack({
    dataDir: join(tmpdir(), `holdfast-bench-${process.pid}`),
    ports: 'free',
    headlessUi: true,
    temporary: true,
    only: [...CORE_PARTS, 'paypal'],
    apiCount,
    workerCount: 2,
    environment: ENVIRONMENT,
    report: (line) => note(line),
  });
  try {
    const adminKey = stack.environment['HOLDFAST_ADMIN_KEY'] ?? '';
    const apiUrls = stack.apis.map(({ address }) => `http://127.0.0.1:${address.port}`);
    const [apiUrl = ''] = apiUrls;
    const { apiKey } = await createDemoMerchant(apiUrl, adminKey, 'Bench');
    const sandboxes = urlsOfSandboxes(stack.environment, stack.startsSandbox);
    await seedAccounts({ apiUrl, adminKey, sandboxes, environment: {} });
    await work({ stack, apiUrls, paypalUrl: `http://127.0.0.1:${stack.ports.paypal}`, adminKey, apiKey });
  } finally {
    await stack.stop();
  }
}

export const QUOTE_PATH = '/api/v1/routing/quote';
/** An order that goes to PayPal, which is more at home there than Stripe. */
export const ORDER = { amount: 10_000, currency: 'EUR', country: 'DE' } as const;

interface Quote {
  readonly channel: string;
  readonly probe?: boolean;
  readonly candidates: readonly { readonly channel: string; readonly excluded?: { readonly code: string } }[];
}

/** Whether PayPal takes orders, as the router of one API process sees it. */
export async function isPayPalIn(apiUrl: string, apiKey: string): Promise<boolean> {
  const { channel, probe, candidates } = await expectOk(
    'quote',
    callApi<Quote>(apiUrl, apiKey, QUOTE_PATH, { body: ORDER }),
  );
  const paypal = candidates.find((one) => one.channel === 'paypal');
  if (paypal === undefined) throw new Error('a quote does not speak of PayPal');
  // An order that would try whether it is back is not one that it takes.
  return paypal.excluded === undefined && !(channel === 'paypal' && probe === true);
}
