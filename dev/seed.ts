/** The demo's merchant, API key and Stripe account: made once, remembered in the data folder, checked at every start. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { callApi, createDemoMerchant, createStripeAccount, registerSandboxEvents } from './demo-client';
import type { DemoMerchant } from './demo-client';
import { SANDBOX_SECRET_KEY, SANDBOX_WEBHOOK_SECRET } from './stack/settings';

export interface Seed extends DemoMerchant {
  /** undefined: the account had been made by hand, so its id is not known here */
  readonly stripeAccountId?: string;
}

export interface SeedOptions {
  readonly apiUrl: string;
  readonly adminKey: string;
  readonly dataDir: string;
  /** undefined: Stripe itself, with the keys of the environment */
  readonly sandboxUrl: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const fileIn = (dataDir: string) => join(dataDir, 'demo.json');

/** What an earlier start wrote down; undefined before the first one. */
export function rememberedSeed(dataDir: string): Seed | undefined {
  const file = fileIn(dataDir);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Seed) : undefined;
}

export async function seedDemo(options: SeedOptions): Promise<Seed> {
  const remembered = await stillValid(options);
  const merchant =
    remembered ?? (await createDemoMerchant(options.apiUrl, options.adminKey, 'Grand Hotel Demo'));
  const stripeAccountId = (await createAccount(options)) ?? remembered?.stripeAccountId;
  const seed: Seed = { ...merchant, ...(stripeAccountId !== undefined && { stripeAccountId }) };
  writeFileSync(fileIn(options.dataDir), JSON.stringify(seed, undefined, 2), { mode: 0o600 });
  if (options.sandboxUrl !== undefined && stripeAccountId !== undefined) {
    await registerSandboxEvents(options.sandboxUrl, options.apiUrl, stripeAccountId);
  }
  return seed;
}

/** What was remembered, if its key still opens the API: the database may have been emptied since. */
async function stillValid({ apiUrl, dataDir }: SeedOptions): Promise<Seed | undefined> {
  const seed = rememberedSeed(dataDir);
  if (seed === undefined) return undefined;
  const answer = await callApi(apiUrl, seed.apiKey, '/api/v1/channel/pre-auth?limit=1');
  return answer.status === 200 ? seed : undefined;
}

function createAccount({ apiUrl, adminKey, environment }: SeedOptions): Promise<string | undefined> {
  return createStripeAccount(apiUrl, adminKey, {
    name: 'Platform',
    secretKey: environment['STRIPE_SECRET_KEY'] || SANDBOX_SECRET_KEY,
    webhookSecret: environment['STRIPE_WEBHOOK_SECRET'] || SANDBOX_WEBHOOK_SECRET,
  });
}
