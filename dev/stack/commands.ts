/** Finding and running other programs. */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** The first of these programs that the PATH has, as a full path. */
export function findOnPath(names: readonly string[], environment: Environment): string | undefined {
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (isExecutable(path)) return path;
    }
  }
  return undefined;
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** What a short command prints, or undefined when it cannot be run or fails. */
export function outputOf(
  command: string,
  args: readonly string[],
  environment: Environment,
): string | undefined {
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    env: environment,
    timeout: 20_000,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return result.status === 0 ? result.stdout : undefined;
}

/** Runs a command that takes long, telling how long it has been at it. @returns its exit code and its errors */
export async function runLong(
  command: string,
  args: readonly string[],
  options: { cwd: string; environment: Environment; everyMs: number; onTick: (elapsedMs: number) => void },
): Promise<{ code: number; output: string }> {
  const startedAt = Date.now();
  const timer = setInterval(() => options.onTick(Date.now() - startedAt), options.everyMs);
  let output = '';
  try {
    const code = await new Promise<number>((resolve) => {
      const child = spawn(command, args, {
        cwd: options.cwd,
        env: options.environment,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const collect = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4_000));
      child.stdout.on('data', collect);
      child.stderr.on('data', collect);
      child.once('error', (error) => {
        output += error.message;
        resolve(127);
      });
      child.once('close', (exitCode) => resolve(exitCode ?? 1));
    });
    return { code, output };
  } finally {
    clearInterval(timer);
  }
}
