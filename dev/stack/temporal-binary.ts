/**
 * Where the Temporal CLI comes from: TEMPORAL_CLI, the PATH, the cache, or a build from the pinned Go module in
 * dev/temporal-cli, which takes minutes once per machine and is cached for every later start and clone.
 */
import { chmodSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findOnPath, isExecutable, outputOf, runLong } from './commands';
import { StackError } from './errors';
import { ROOT, cacheDir } from './paths';
import type { ServerOptions } from './server-options';

const PINNED = '1.8.2';
/** CLI 1.5 carries server 1.29. A CLI built from its module calls itself 0.0.0-DEV, so the server's version decides. */
const MIN_SERVER_MINOR = 29;
const MIN_GO_MINOR = 26;
/** From here on the go command fetches the toolchain a module asks for, unless GOTOOLCHAIN forbids it. */
const MIN_TOOLCHAIN_MINOR = 21;
const PROGRESS_EVERY_MS = 10_000;

type BinaryOptions = Pick<ServerOptions, 'environment' | 'report'>;

/** @throws StackError that says what to install when there is no way to a binary */
export async function temporalBinary(options: BinaryOptions): Promise<string> {
  const { environment, report } = options;
  const named = environment['TEMPORAL_CLI'];
  if (named) {
    if (isExecutable(named)) return named;
    throw new StackError(`TEMPORAL_CLI names ${named}, which is no program that can be run.`);
  }
  const installed = findOnPath(['temporal'], environment);
  if (installed !== undefined) {
    if (isRecent(installed, environment)) return installed;
    report(`${installed} is older than 1.5 and left alone`);
  }
  const cached = join(cacheDir(environment), `temporal-${PINNED}`, 'temporal');
  if (!isExecutable(cached)) await build(cached, options);
  return cached;
}

function isRecent(binary: string, environment: BinaryOptions['environment']): boolean {
  const version = outputOf(binary, ['--version'], environment) ?? '';
  const [, major, minor] = /Server (\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= MIN_SERVER_MINOR);
}

async function build(target: string, options: BinaryOptions): Promise<void> {
  await buildWithGo(
    {
      what: `Temporal CLI ${PINNED}`,
      takes: 'about five minutes on two cores',
      module: 'dev/temporal-cli',
      packageName: 'github.com/temporalio/cli/cmd/temporal',
      target,
      alternatives: ALTERNATIVES,
    },
    options,
  );
}

export interface GoBuild {
  readonly what: string;
  readonly takes: string;
  /** The tools module with the pinned versions, from the root of the checkout. */
  readonly module: string;
  readonly packageName: string;
  /** The binary to be. */
  readonly target: string;
  /** What to do where it cannot be built. */
  readonly alternatives: string;
}

/** @throws StackError without a Go that can build it, or when the build fails */
export async function buildWithGo(
  { what, takes, module, packageName, target, alternatives }: GoBuild,
  { environment, report }: BinaryOptions,
): Promise<void> {
  const go = findOnPath(['go'], environment);
  if (go === undefined || !canBuild(go, environment)) throw noWay(what, go, alternatives);
  mkdirSync(dirname(target), { recursive: true });
  const unfinished = `${target}.${process.pid}`;
  report(`${what} is built with Go, once for this machine: ${takes}`);
  const { code, output } = await runLong(
    go,
    ['build', '-trimpath', '-buildvcs=false', '-ldflags=-s -w', '-o', unfinished, packageName],
    {
      cwd: join(ROOT, module),
      environment,
      everyMs: PROGRESS_EVERY_MS,
      onTick: (elapsedMs) => report(`${what} is being built, ${Math.round(elapsedMs / 1000)} s so far`),
    },
  );
  if (code !== 0) {
    rmSync(unfinished, { force: true });
    throw new StackError(`${what} could not be built with ${go}:\n${output.trim()}\n${alternatives}`);
  }
  chmodSync(unfinished, 0o755);
  // Only a whole binary ever has the final name, whatever interrupts the build.
  renameSync(unfinished, target);
}

function canBuild(go: string, environment: BinaryOptions['environment']): boolean {
  const [, minor] = /go1\.(\d+)/.exec(outputOf(go, ['env', 'GOVERSION'], environment) ?? '') ?? [];
  if (Number(minor) >= MIN_GO_MINOR) return true;
  const toolchain = outputOf(go, ['env', 'GOTOOLCHAIN'], environment)?.trim() ?? '';
  return Number(minor) >= MIN_TOOLCHAIN_MINOR && /(^|\+)(auto|path)$/.test(toolchain);
}

const ALTERNATIVES =
  'Or put the Temporal CLI 1.5 or newer on the PATH (or name it with TEMPORAL_CLI), or name a running server with ' +
  'TEMPORAL_ADDRESS. Then start again.';

function noWay(what: string, go: string | undefined, alternatives: string): StackError {
  const why = go === undefined ? 'there is no Go to build it with' : `${go} is too old to build it`;
  return new StackError(
    `${what} is missing, and ${why}: install Go 1.${MIN_GO_MINOR}.8 or newer. ${alternatives}`,
  );
}
