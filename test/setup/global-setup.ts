/**
 * Starts PostgreSQL, Redis, Temporal and the Stripe sandbox once for the whole run, on free ports and in a temporary
 * folder, and puts their addresses into process.env, which every test process inherits. Pure tests need none of it:
 * HOLDFAST_TEST_SERVERS=none, or a run of test/domain alone, skips it.
 */
import type { Config } from 'jest';
import { workflowBundle } from '../../dev/stack/bundle';
import { createDatabaseIfMissing, migrateDatabase } from '../../dev/stack/database';
import { temporaryDataDir } from '../../dev/stack/paths';
import { SANDBOX_SECRET_KEY, SANDBOX_WEBHOOK_SECRET } from '../../dev/stack/settings';
import { startStack } from '../../dev/stack/stack';
import type { Stack } from '../../dev/stack/stack';

export const TEMPLATE_DATABASE = 'holdfast_template';
/** The real limiter, with so much room that only a test of limits reaches them; every process of the run inherits it. */
const WIDE_LIMITS = {
  ...{ RATE_LIMIT_MULTIPLIER: '100', IP_LIMIT_PER_MINUTE: '100000' },
  // A machine that is busy with tests is neither overloaded nor without Redis.
  ...{ LOAD_LOOP_DELAY: '5', RATE_LIMIT_TIMEOUT: '1' },
};
const NEEDS_NO_SERVER = /^(\.\/)?test\/domain(\/|$)/;

export type GlobalWithStack = typeof globalThis & { holdfastStack?: Stack };

type Patterns = { readonly testPathPatterns?: { readonly patterns: readonly string[] } };

export default async function globalSetup(globalConfig: Config & Patterns): Promise<void> {
  const patterns = globalConfig.testPathPatterns?.patterns ?? [];
  const isPure = patterns.length > 0 && patterns.every((pattern) => NEEDS_NO_SERVER.test(pattern));
  if (isPure || process.env['HOLDFAST_TEST_SERVERS'] === 'none') return;
  // Temporal collects its garbage less often: a sixth of its processor time, for memory that a run has. Chaos suites, which
  // start their own, inherit it.
  process.env['GOGC'] ??= '400';
  const dataDir = temporaryDataDir('test');
  const stack = await startStack({
    dataDir,
    ports: 'free',
    headlessUi: true,
    temporary: true,
    only: ['postgres', 'redis', 'temporal', 'sandbox'],
    // HOLDFAST_PAYLOAD_ENCRYPTION=false: everything as it is without encryption.
    given: { HOLDFAST_PAYLOAD_ENCRYPTION: process.env['HOLDFAST_PAYLOAD_ENCRYPTION'] },
    environment: { NODE_ENV: 'test', LOG_LEVEL: 'warn', DB_NAME: TEMPLATE_DATABASE, ...WIDE_LIMITS },
    report: (line) => process.stderr.write(`  ${line}\n`),
  });
  (globalThis as GlobalWithStack).holdfastStack = stack;
  try {
    const [codePath] = await Promise.all([workflowBundle(stack.environment), makeTemplate(stack)]);
    Object.assign(process.env, stack.environment, {
      WORKFLOW_BUNDLE: codePath,
      HOLDFAST_TEST_DATA_DIR: dataDir,
      HOLDFAST_TEST_TEMPLATE: TEMPLATE_DATABASE,
      HOLDFAST_TEST_STRIPE_KEY: SANDBOX_SECRET_KEY,
      HOLDFAST_TEST_WEBHOOK_SECRET: SANDBOX_WEBHOOK_SECRET,
    });
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

/** The migrated database every test clones; nobody stays connected to it, or it could not be cloned. */
async function makeTemplate({ environment }: Stack): Promise<void> {
  const connection = {
    DB_HOST: environment['DB_HOST'] ?? '',
    DB_PORT: Number(environment['DB_PORT']),
    DB_USER: environment['DB_USER'] ?? '',
    DB_PASSWORD: environment['DB_PASSWORD'] ?? '',
    DB_SSL: false,
  };
  await createDatabaseIfMissing(connection, TEMPLATE_DATABASE);
  await migrateDatabase({ ...process.env, ...environment });
}
