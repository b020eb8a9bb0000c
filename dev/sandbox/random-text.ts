/** Ids: random letters of a channel's own alphabet. */
import { randomFillSync } from 'node:crypto';

const pool = Buffer.alloc(8_192);
let used = pool.length;

/** Bytes are drawn many at a time: the kernel is slow to ask. */
export function randomText(letters: string, length: number): string {
  if (used + length > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  let text = '';
  for (const end = used + length; used < end; used++) text += letters[(pool[used] ?? 0) % letters.length];
  return text;
}
