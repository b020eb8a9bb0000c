/** Redis (or Valkey) from the PATH, else from the system's package manager when it may be used, else a sentence. */
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { findOnPath, outputOf, runLong } from './commands';
import { StackError } from './errors';
import { startProcess } from './processes';
import type { Server } from './processes';
import type { ServerOptions } from './server-options';

const LOOPBACK = '127.0.0.1';
const NAMES = ['redis-server', 'valkey-server'];
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 3_000;
const PROBE_TIMEOUT_MS = 1_000;
const PROGRESS_EVERY_MS = 10_000;

/** In the order they are looked for. Homebrew refuses root, the others need it. */
const PACKAGE_MANAGERS = [
  { name: 'apt-get', args: ['install', '-y', '--no-install-recommends', 'redis-server'], asRoot: true },
  { name: 'dnf', args: ['install', '-y', 'redis'], asRoot: true },
  { name: 'apk', args: ['add', 'redis'], asRoot: true },
  { name: 'brew', args: ['install', 'redis'], asRoot: false },
] as const;

export async function startRedis(options: ServerOptions): Promise<Server> {
  const binary = findOnPath(NAMES, options.environment) ?? (await install(options));
  const data = join(options.dataDir, 'redis');
  mkdirSync(data, { recursive: true });
  return startProcess({
    name: 'redis',
    command: binary,
    args: [
      ...['--port', String(options.port), '--bind', LOOPBACK, '--dir', data, '--daemonize', 'no'],
      ...['--save', '', '--appendonly', 'yes'],
    ],
    environment: options.environment,
    cwd: data,
    dataDir: options.dataDir,
    address: { host: LOOPBACK, port: options.port },
    isReady: () => pong(options.port),
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: STOP_TIMEOUT_MS,
    ...(options.onUnexpectedExit && { onUnexpectedExit: options.onUnexpectedExit }),
  });
}

/** Redis says "LOADING" while it reads its file, so a connection alone proves nothing. */
function pong(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: LOOPBACK, port, timeout: PROBE_TIMEOUT_MS }, () =>
      socket.write('PING\r\n'),
    );
    const answer = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.once('data', (chunk) => answer(chunk.toString().startsWith('+PONG')));
    socket.once('timeout', () => answer(false));
    socket.once('error', () => answer(false));
  });
}

async function install({ environment, report }: ServerOptions): Promise<string> {
  const manager = PACKAGE_MANAGERS.find(({ name }) => findOnPath([name], environment) !== undefined);
  const byHand = manager && `${manager.asRoot ? 'sudo ' : ''}${manager.name} ${manager.args.join(' ')}`;
  const prefix = manager && elevation(manager.asRoot, environment);
  if (manager === undefined || prefix === undefined) throw missing(byHand);
  const command = [...prefix, manager.name, ...manager.args];
  report(`No redis-server is on the PATH: it is installed with ${command.join(' ')} (about half a minute)`);
  const run = ([program = '', ...args]: readonly string[]) =>
    runLong(program, args, {
      cwd: '/',
      environment: { ...environment, DEBIAN_FRONTEND: 'noninteractive' },
      everyMs: PROGRESS_EVERY_MS,
      onTick: (elapsedMs) => report(`Redis is being installed, ${Math.round(elapsedMs / 1000)} s`),
    });
  let result = await run(command);
  if (result.code !== 0 && manager.name === 'apt-get') {
    // A fresh image has no package lists at all.
    await run([...prefix, 'apt-get', 'update']);
    result = await run(command);
  }
  const binary = findOnPath(NAMES, environment);
  if (binary === undefined) throw missing(byHand, result.output.trim().split('\n').at(-1));
  return binary;
}

/** What to put before the command, or undefined when this user may not install anything. */
function elevation(asRoot: boolean, environment: ServerOptions['environment']): string[] | undefined {
  const isRoot = process.getuid?.() === 0;
  if (!asRoot) return isRoot ? undefined : [];
  if (isRoot) return [];
  return outputOf('sudo', ['-n', 'true'], environment) === undefined ? undefined : ['sudo', '-n'];
}

function missing(command: string | undefined, reason?: string): StackError {
  const what = command === undefined ? 'Install Redis or Valkey' : `Install it with: ${command}`;
  const why = reason === undefined ? '' : ` (installing it failed: ${reason})`;
  return new StackError(
    `Redis is missing: neither redis-server nor valkey-server is on the PATH${why}. ${what}; or name a running one with ` +
      'REDIS_HOST and REDIS_PORT. Then start again.',
  );
}
