/**
 * `npm run prod-like [-- --once]`: the shape of docker-compose.yml without containers, the demo on it, and then it stays
 * until Ctrl-C. With --once it ends after the demo, with the demo's exit code.
 */
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { seedDemo } from './seed';
import { urlsOfSandboxes } from './seed-accounts';
import { StackError } from './stack/errors';
import { typescriptArgs, ROOT, defaultDataDir } from './stack/paths';
import { NAMESPACE, startProdLike } from './stack/prod-like';
import type { ProdLike } from './stack/prod-like';
import { logTail } from './stack/processes';
import type { Server } from './stack/processes';
import { bold, done, failed, note, table, took } from './terminal';

const startedAt = Date.now();
// Beside the data of npm start: the two have different servers under the same names.
const dataDir = join(defaultDataDir(process.env), 'prod-like');
const flags = process.argv.slice(2);
let shape: ProdLike | undefined;
let demo: ChildProcess | undefined;
let stopping: Promise<void> | undefined;

async function main(): Promise<void> {
  const unknown = flags.find((flag) => flag !== '--once');
  if (unknown !== undefined)
    throw new StackError(`There is no ${unknown}: only --once, to end after the demo.`);
  console.log(`\n${bold('Holdfast')} in the shape of production; data in ${dataDir}\n`);
  shape = await startProdLike({
    dataDir,
    ports: 'default',
    report: (line, kind) => (kind === 'done' ? done(line) : note(line)),
    onUnexpectedExit: childDied,
  });
  await seedDemo({
    apiUrl: `http://127.0.0.1:${shape.app.ports.api}`,
    adminKey: shape.app.environment['HOLDFAST_ADMIN_KEY'] ?? '',
    dataDir,
    sandboxes: urlsOfSandboxes(shape.app.environment, shape.app.startsSandbox),
    environment: process.env,
  });
  done(`Ready after ${took(startedAt)}: the demo on it`);
  process.exitCode = await runDemo(shape);
  if (flags.includes('--once')) return stop();
  printAddresses(shape);
}

/** As an operator would run it: on servers that the environment names. */
function runDemo({ given }: ProdLike): Promise<number> {
  return new Promise((resolve) => {
    demo = spawn(process.execPath, typescriptArgs('dev/demo.ts'), {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, ...given, HOLDFAST_DATA_DIR: dataDir },
    });
    demo.once('exit', (code) => resolve(code ?? 1));
    demo.once('error', () => resolve(1));
  });
}

function printAddresses({ app, servers, given }: ProdLike): void {
  const addresses = (list: readonly Server[]) => list.map(({ address }) => address.port).join(', ');
  const [first, second] = app.apis.map(({ address }) => `http://127.0.0.1:${address.port}/api/v1`);
  console.log(`\n${bold('Running')}\n`);
  table([
    ['API', `${first ?? ''} and ${second ?? ''}`],
    ['Workers’ health', `payments ${addresses(app.workers)}; webhooks ${addresses(app.webhooks)}`],
    ['Temporal', `${given['TEMPORAL_ADDRESS'] ?? ''}, namespace ${NAMESPACE}`],
    ['Temporal Web UI', `http://127.0.0.1:${app.ports.temporalUi}`],
    [
      'PostgreSQL',
      `127.0.0.1:${servers.postgres.address.port}, passwords in servers/database-passwords.json`,
    ],
    ['Redis', `127.0.0.1:${servers.redis.address.port}`],
    ['Data and logs', `${dataDir}, ${join(dataDir, 'servers')}`],
    ['Admin key', `in ${join(dataDir, 'secrets.json')}`],
  ]);
  console.log('\n  Ctrl-C stops everything; the data stay.\n');
}

function stop(): Promise<void> {
  stopping ??= (async () => {
    const since = Date.now();
    demo?.kill('SIGTERM');
    await shape?.stop();
    done(`everything has stopped (${took(since)})`);
  })();
  return stopping;
}

function end(): void {
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
  end();
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end());

main().then(
  () => (flags.includes('--once') ? process.exit(process.exitCode ?? 0) : undefined),
  (error: unknown) => {
    if (stopping !== undefined) return;
    failed(error instanceof StackError ? error.message : ((error as Error).stack ?? String(error)));
    process.exitCode = 1;
    end();
  },
);
