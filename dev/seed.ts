/** The demo's merchant, its API key and an account at each channel: made once, checked at every start. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { callApi, createDemoMerchant } from './demo-client';
import type { DemoMerchant } from './demo-client';
import { seedAccounts } from './seed-accounts';
import type { SandboxUrls } from './seed-accounts';

export type Seed = DemoMerchant;

export interface SeedOptions {
  readonly apiUrl: string;
  readonly adminKey: string;
  readonly dataDir: string;
  /** Of the sandboxes that run. Without Stripe's: Stripe itself, with the keys of the environment. */
  readonly sandboxes: SandboxUrls;
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
  const seed = remembered ?? (await createDemoMerchant(options.apiUrl, options.adminKey, 'Grand Hotel Demo'));
  writeFileSync(fileIn(options.dataDir), JSON.stringify(seed, undefined, 2), { mode: 0o600 });
  await seedAccounts(options);
  return seed;
}

/** What was remembered, if its key still opens the API: the database may have been emptied since. */
async function stillValid({ apiUrl, dataDir }: SeedOptions): Promise<Seed | undefined> {
  const seed = rememberedSeed(dataDir);
  if (seed === undefined) return undefined;
  const answer = await callApi(apiUrl, seed.apiKey, '/api/v1/channel/pre-auth?limit=1');
  return answer.status === 200 ? seed : undefined;
}
