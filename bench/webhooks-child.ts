/** Processes of a bench: forked, asked over their message channel, gone with the bench that forked them. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { typescriptArgs } from '../dev/stack/paths';

/** What a process can be asked; its module exports the type of its table. */
type Calls = Record<string, (...input: never[]) => unknown>;

interface Question {
  readonly id: number;
  readonly what: string;
  readonly input: readonly unknown[];
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

export interface Child<C extends Calls> {
  readonly pid: number | undefined;
  /** @throws Error with the process's own words when it fails, or when it ends before it has answered */
  ask<K extends keyof C & string>(what: K, ...input: Parameters<C[K]>): Promise<Awaited<ReturnType<C[K]>>>;
  stop(): Promise<void>;
}

/** @param script of this folder, which calls `serve` */
export function startChild<C extends Calls>(
  script: string,
  environment: Readonly<Record<string, string>> = {},
): Child<C> {
  const [runner = '', file = ''] = typescriptArgs(join('bench', script));
  const child = fork(runner, [file], {
    execArgv: [],
    env: { ...process.env, ...environment },
    // Maps and long arrays of numbers as they are.
    serialization: 'advanced',
  });
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  child.on('message', (message) => {
    const { id, result, error } = message as Answer;
    const caller = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) caller?.resolve(result);
    else caller?.reject(new Error(`${script}: ${error}`));
  });
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${script} has ended (${code ?? 'killed'})`));
  });
  return {
    pid: child.pid,
    ask(what, ...input) {
      const id = (lastId += 1);
      return new Promise((resolve, reject) => {
        waiting.set(id, {
          resolve: (result) => resolve(result as Awaited<ReturnType<C[typeof what]>>),
          reject,
        });
        child.send({ id, what, input } satisfies Question, (error) => error && reject(error));
      });
    },
    async stop() {
      if (child.connected) child.disconnect();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

/** The process's side: answers until the bench lets go of it. */
export function serve(calls: Calls): void {
  const answer = async ({ id, what, input }: Question): Promise<Answer> => {
    try {
      const call = calls[what] as ((...given: readonly unknown[]) => unknown) | undefined;
      if (call === undefined) throw new Error(`cannot be asked "${what}"`);
      return { id, result: await call(...input) };
    } catch (error) {
      return { id, error: (error as Error).stack ?? String(error) };
    }
  };
  process.on('message', (message) => {
    void answer(message as Question).then((told) => process.send?.(told));
  });
  process.once('disconnect', () => process.exit());
}

/** Unix time in milliseconds with fractions: comparable between the processes of one machine. */
export const preciseNowMs = (): number => performance.timeOrigin + performance.now();
