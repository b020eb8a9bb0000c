/** `npm start`: the whole of Holdfast on this machine, from nothing to a hold captured, until Ctrl-C. */
import { join } from 'node:path';
import { seedDemo } from './seed';
import type { Seed } from './seed';
import { urlsOfSandboxes } from './seed-accounts';
import { proveFirstHold } from './first-hold';
import { StackError } from './stack/errors';
import { startService } from './stack/node-services';
import { defaultDataDir } from './stack/paths';
import { assertPortFree } from './stack/ports';
import { logTail } from './stack/processes';
import type { Server } from './stack/processes';
import { SANDBOX_PUBLISHABLE_KEY } from './stack/settings';
import { ALL_PARTS } from './stack/parts';
import { SANDBOX_PARTS, SANDBOXES } from './stack/sandboxes';
import { startStack } from './stack/stack';
import type { Stack } from './stack/stack';
import { bold, done, failed, note, table, took } from './terminal';

/** A Ctrl-C reaches this process from the terminal and, a moment later, again through npm. */
const SAME_SIGNAL_MS = 1_500;

const startedAt = Date.now();
const dataDir = defaultDataDir(process.env);
let stack: Stack | undefined;
let receiver: Server | undefined;
let stopping: Promise<void> | undefined;
let stoppingSince = 0;

async function start(): Promise<void> {
  console.log(`\n${bold('Holdfast')} is starting; data in ${dataDir}\n`);
  stack = await startStack({
    dataDir,
    ports: 'default',
    given: process.env,
    only: ALL_PARTS,
    report: (line, kind) => (kind === 'done' ? done(line) : note(line)),
    onUnexpectedExit: childDied,
  });
  await assertPortFree('receiver', stack.ports.receiver);
  receiver = await startService('receiver', 'receiver', {
    dataDir,
    port: stack.ports.receiver,
    report: note,
    environment: { ...process.env, PORT: String(stack.ports.receiver) },
    onUnexpectedExit: childDied,
  });
  const urls = addresses(stack);
  const seed = await seedDemo({
    apiUrl: urls.api,
    adminKey: stack.environment['HOLDFAST_ADMIN_KEY'] ?? '',
    dataDir,
    sandboxes: urlsOfSandboxes(stack.environment, stack.startsSandbox),
    environment: process.env,
  });
  console.log('\n  A first hold, from end to end\n');
  await proveFirstHold({
    apiUrl: urls.api,
    apiKey: seed.apiKey,
    stripeUrl: urls.stripe,
    confirmKey: process.env['STRIPE_SECRET_KEY'] || SANDBOX_PUBLISHABLE_KEY,
    notifyUrl: `${urls.receiver}/webhooks`,
  });
  printAddresses(stack, urls, seed);
}

type Urls = Record<'api' | 'stripe' | 'receiver', string>;

function addresses({ ports, environment }: Stack): Urls {
  return {
    api: `http://127.0.0.1:${ports.api}`,
    stripe: environment['STRIPE_API_BASE'] || 'https://api.stripe.com',
    receiver: `http://127.0.0.1:${ports.receiver}`,
  };
}

function printAddresses(
  { ports, environment, temporal, startsSandbox }: Stack,
  urls: Urls,
  seed: Seed,
): void {
  const namespace = environment['TEMPORAL_NAMESPACE'] ?? '';
  const web = `http://127.0.0.1:${ports.temporalUi}/namespaces/${namespace}/workflows`;
  const { DB_USER, DB_PASSWORD, DB_HOST, DB_PORT, DB_NAME, REDIS_HOST, REDIS_PORT } = environment;
  console.log(`\n${bold('Ready')} after ${took(startedAt)}\n`);
  table([
    ['API', `${urls.api}/api/v1`],
    ['API documents', `${urls.api}/docs`],
    ['Temporal Web UI', temporal.owned ? web : `of ${environment['TEMPORAL_ADDRESS']}`],
    ['Codec server', `http://127.0.0.1:${ports.codec}, for temporal --codec-endpoint`],
    ...channelRows(environment, startsSandbox),
    ['Webhooks received', `${urls.receiver}/_received`],
    [
      'PostgreSQL',
      `postgres://${DB_USER}${DB_HOST === '127.0.0.1' ? `:${DB_PASSWORD}` : ''}@${DB_HOST}:${DB_PORT}/${DB_NAME}`,
    ],
    ['Redis', `redis://${REDIS_HOST}:${REDIS_PORT}`],
    ['Data and logs', dataDir],
    ['Demo API key', seed.apiKey],
    ['Admin key, codec token', `in ${join(dataDir, 'secrets.json')}`],
  ]);
  // A new order each time it is pasted: an order has one live hold.
  const body = `{"channel":"stripe","order_no":"ROOM-'$(date +%s)'","amount":50000,"currency":"USD"}`;
  console.log(`
  Your first hold, 500.00 USD:

curl -s ${urls.api}/api/v1/channel/pre-auth \\
  -H 'Authorization: Bearer ${seed.apiKey}' \\
  -H 'Content-Type: application/json' -H "Idempotency-Key: $(date +%s)" \\
  -d '${body}' -w '\\n'

  Ctrl-C stops everything; the data stay.
`);
}

function channelRows(
  environment: Readonly<Record<string, string>>,
  startsSandbox: Stack['startsSandbox'],
): [string, string][] {
  return SANDBOX_PARTS.map((part) => {
    const { provider, variable } = SANDBOXES[part];
    const url = environment[variable] || 'https://api.stripe.com';
    return [provider, startsSandbox(part) ? `${url} (sandbox)` : url];
  });
}

function stop(): Promise<void> {
  stopping ??= (async () => {
    stoppingSince = Date.now();
    console.log(`\n  Stopping: API, workers, then the servers`);
    await receiver?.stop();
    await stack?.stop();
    done(`everything has stopped (${took(stoppingSince)})`);
  })();
  return stopping;
}

function onSignal(): void {
  if (stopping !== undefined) {
    if (Date.now() - stoppingSince > SAME_SIGNAL_MS) note('still stopping, a moment');
    return;
  }
  // Whatever is starting meanwhile is ended by the watchdog as soon as this process is gone.
  stop().then(
    () => process.exit(process.exitCode ?? 0),
    (error: unknown) => {
      failed(String(error));
      process.exit(1);
    },
  );
}

function childDied(server: Server, how: string): void {
  if (stopping !== undefined) return;
  failed(`${server.name} has ended by itself (${how}). The end of ${server.logFile ?? 'its log'}:\n`);
  console.error(logTail(server.logFile));
  process.exitCode = 1;
  onSignal();
}

process.on('SIGINT', onSignal);
process.on('SIGTERM', onSignal);
// A closed terminal: its output is gone, the orderly stop is not.
process.on('SIGHUP', onSignal);

start().catch((error: unknown) => {
  if (stopping !== undefined) return;
  console.error();
  failed(error instanceof StackError ? error.message : ((error as Error).stack ?? String(error)));
  process.exitCode = 1;
  onSignal();
});
