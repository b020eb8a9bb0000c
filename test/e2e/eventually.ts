import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;

/** Asks until the answer is as wanted. @throws Error with the last answer after `timeoutMs` */
export async function eventually<T>(
  what: string,
  read: () => T | Promise<T>,
  isWanted: (value: T) => boolean,
  timeoutMs = 20_000,
): Promise<T> {
  const endMs = Date.now() + timeoutMs;
  for (;;) {
    const value = await read();
    if (isWanted(value)) return value;
    if (Date.now() > endMs)
      throw new Error(`${what}: not within ${timeoutMs} ms; last ${JSON.stringify(value)?.slice(0, 1_000)}`);
    await sleep(POLL_MS);
  }
}
