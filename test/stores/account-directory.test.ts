/** What the directory remembers of accounts that there are not: for a moment, and only so many. */
import { createAccountDirectory } from '../../src/stores/account-directory';
import type { Queryable } from '../../src/stores/postgres';
import { createSecretBox } from '../../src/stores/secret-box';

const MAX_UNKNOWN = 10_000;

it('forgets the one that was asked for longest ago when there are too many', async () => {
  let questions = 0;
  const db = { query: () => Promise.resolve({ rows: (questions++, []) }) } as unknown as Queryable;
  const box = createSecretBox(`k1:${Buffer.alloc(32).toString('base64')}`);
  const directory = createAccountDirectory(db, box, () => {
    throw new Error('there is none');
  });
  for (let n = 0; n < MAX_UNKNOWN; n += 1) expect(await directory(`a${n}`)).toBeUndefined();
  await directory('a0');
  expect(questions).toBe(MAX_UNKNOWN);
  await directory('one more');
  await directory('a1');
  expect(questions).toBe(MAX_UNKNOWN + 1);
  await directory('a0');
  expect(questions).toBe(MAX_UNKNOWN + 2);
  expect(directory.isKnown('a0')).toBe(false);
});
