/** A server as a child process: its output goes to a log file, it is waited for, stopped within a bound, or killed. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError } from './errors';
import { killTree, removeNote, signal, waitUntilGone, writeNote } from './process-table';

const READY_POLL_MS = 50;
const GONE_TIMEOUT_MS = 5_000;
const MAX_LOG_BYTES = 10 * 1024 * 1024;
const TAIL_LINES = 12;

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Server {
  readonly name: string;
  readonly address: Address;
  /** false: given by the environment; stop() leaves it alone, kill() and restart() refuse */
  readonly owned: boolean;
  readonly logFile?: string;
  pid(): number | undefined;
  /** Asks it to end and kills it when it does not within its bound. */
  stop(): Promise<void>;
  /** SIGKILL now, to the process and everything it started. */
  kill(): Promise<void>;
  /** Starts it again on the same data and port; stops it before if it runs. */
  restart(): Promise<void>;
}

export interface ProcessSpec {
  /** Lower case; names the log file and the note in the run folder. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly dataDir: string;
  readonly address: Address;
  /** Asked again and again until it answers true; a rejection counts as "not yet". */
  readonly isReady: () => Promise<boolean>;
  readonly readyTimeoutMs: number;
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
  readonly stopTimeoutMs: number;
  /** Called when the process ends although nobody asked it to, after it had been ready. */
  readonly onUnexpectedExit?: (server: Server, how: string) => void;
}

/** The last lines of a log, for the sentence that tells of a failure. */
export function logTail(file: string | undefined, lines = TAIL_LINES): string {
  if (file === undefined || !existsSync(file)) return '';
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}

export function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  if (existsSync(file) && statSync(file).size > MAX_LOG_BYTES) renameSync(file, `${file}.1`);
  return openSync(file, 'a');
}

/** A server that the environment names: used, never stopped. */
export function givenServer(name: string, address: Address): Server {
  const refuse = () =>
    Promise.reject(
      new StackError(`${name} at ${address.host}:${address.port} was not started by this stack`),
    );
  return {
    name,
    address,
    owned: false,
    pid: () => undefined,
    stop: () => Promise.resolve(),
    kill: refuse,
    restart: refuse,
  };
}

/**
 * Starts the process and waits until it is ready.
 * @throws StackError with the end of its log when it ends before, or is not ready in time
 */
export async function startProcess(spec: ProcessSpec): Promise<Server> {
  const server = new ManagedProcess(spec);
  await server.restart();
  return server;
}

class ManagedProcess implements Server {
  readonly owned = true;
  readonly name: string;
  readonly address: Address;
  readonly logFile: string;
  private child: ChildProcess | undefined;
  private exited: Promise<string> = Promise.resolve('');
  private ended = true;
  /** The child that was told to end. */
  private expectedEnd: ChildProcess | undefined;

  constructor(private readonly spec: ProcessSpec) {
    this.name = spec.name;
    this.address = spec.address;
    this.logFile = join(spec.dataDir, 'logs', `${spec.name}.log`);
  }

  pid(): number | undefined {
    return this.ended ? undefined : this.child?.pid;
  }

  async stop(): Promise<void> {
    const pid = this.pid();
    if (pid === undefined) return;
    this.expectedEnd = this.child;
    signal(pid, this.spec.stopSignal);
    if (!(await this.endsWithin(this.spec.stopTimeoutMs))) await this.kill();
  }

  async kill(): Promise<void> {
    const pid = this.pid();
    if (pid === undefined) return;
    this.expectedEnd = this.child;
    const family = killTree(pid);
    await this.exited;
    await waitUntilGone(family, GONE_TIMEOUT_MS);
  }

  async restart(): Promise<void> {
    await this.stop();
    this.spawn();
    await this.waitUntilReady();
    const child = this.child;
    void this.exited.then((how) => {
      if (this.expectedEnd !== child) this.spec.onUnexpectedExit?.(this, how);
    });
  }

  private spawn(): void {
    const { spec } = this;
    const log = openLog(this.logFile);
    // A group of its own: Ctrl-C reaches the owner only, which then stops everything in the right order.
    const child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: spec.environment,
      stdio: ['ignore', log, log],
      detached: true,
      ...spec.user,
    });
    closeSync(log);
    this.child = child;
    this.ended = false;
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, how) => resolve(how ?? `exit code ${code ?? '?'}`));
    }).then((how) => {
      this.ended = true;
      removeNote(spec.dataDir, spec.name);
      return how as string;
    });
    if (child.pid !== undefined) writeNote(spec.dataDir, spec.name, child.pid, spec.stopSignal);
  }

  private async waitUntilReady(): Promise<void> {
    const { spec } = this;
    const deadline = Date.now() + spec.readyTimeoutMs;
    while (!(await spec.isReady().catch(() => false))) {
      if (this.ended) throw this.failure(`ended at once (${await this.exited})`);
      if (Date.now() > deadline) {
        await this.kill();
        throw this.failure(`was not ready within ${spec.readyTimeoutMs / 1000} s`);
      }
      await sleep(READY_POLL_MS);
    }
    // Someone else may have answered on this port while ours could not.
    if (this.ended) throw this.failure(`ended at once (${await this.exited})`);
  }

  private failure(what: string): StackError {
    return new StackError(`${this.name} ${what}. The end of ${this.logFile}:\n${logTail(this.logFile)}`);
  }

  private async endsWithin(timeoutMs: number): Promise<boolean> {
    const timer = new AbortController();
    const late = sleep(timeoutMs, false, { signal: timer.signal }).catch(() => false);
    const inTime = await Promise.race([this.exited.then(() => true), late]);
    timer.abort();
    return inTime;
  }
}

/** Waits for all, also after a failure: what was started meanwhile must be known before it can be stopped. */
export async function allOrFirstFailure(work: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
