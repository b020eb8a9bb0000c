/** What the directory remembers: of accounts that there are not, for a moment, and only so many; of those that there are, all ids. */
import { createAccountDirectory } from '../../src/stores/account-directory';
import type { Queryable } from '../../src/stores/postgres';
import { createSecretBox } from '../../src/stores/secret-box';

const MAX_UNKNOWN = 10_000;
const box = createSecretBox(`k1:${Buffer.alloc(32).toString('base64')}`);
const noAdapter = () => {
  throw new Error('there is none');
};

let nowMs = 1_000_000;
beforeEach(() => {
  jest.spyOn(Date, 'now').mockImplementation(() => nowMs);
});
afterEach(() => jest.restoreAllMocks());

it('forgets the one that was asked for longest ago when there are too many', async () => {
  let questions = 0;
  const db = { query: () => Promise.resolve({ rows: (questions++, []) }) } as unknown as Queryable;
  const directory = createAccountDirectory(db, box, noAdapter);
  for (let n = 0; n < MAX_UNKNOWN; n += 1) expect(await directory(`a${n}`)).toBeUndefined();
  await directory('a0');
  expect(questions).toBe(MAX_UNKNOWN);
  await directory('one more');
  await directory('a1');
  expect(questions).toBe(MAX_UNKNOWN + 1);
  await directory('a0');
  expect(questions).toBe(MAX_UNKNOWN + 2);
});

describe('which accounts are known', () => {
  let stored: string[] | undefined;
  let questions = 0;
  /** As the database answers: undefined is that it is away. */
  const db = {
    query() {
      questions += 1;
      const rows = stored?.map((id) => ({ id }));
      return rows === undefined ? Promise.reject(new Error('away')) : Promise.resolve({ rows });
    },
  } as unknown as Queryable;
  const loaded = () => new Promise((resolve) => setImmediate(resolve));

  beforeEach(() => {
    questions = 0;
  });

  it('all that there are, without one of them being met; before that nobody is a stranger', async () => {
    stored = ['a'];
    const directory = createAccountDirectory(db, box, noAdapter);
    expect(questions).toBe(0);
    expect(directory.isKnown('b')).toBe(true);
    await loaded();
    expect([directory.isKnown('a'), directory.isKnown('b')]).toEqual([true, false]);
    for (let n = 0; n < 100; n += 1) expect(directory.isKnown(`made up ${n}`)).toBe(false);
    expect(questions).toBe(1);
  });

  it('a new one some seconds later', async () => {
    stored = ['a'];
    const directory = createAccountDirectory(db, box, noAdapter);
    directory.isKnown('new');
    await loaded();
    stored = ['new', 'a'];
    nowMs += 9_999;
    directory.isKnown('new');
    await loaded();
    expect(directory.isKnown('new')).toBe(false);
    nowMs += 1;
    directory.isKnown('new');
    await loaded();
    expect([directory.isKnown('a'), directory.isKnown('new')]).toEqual([true, true]);
    expect(questions).toBe(2);
  });

  it('while the database is away, those that were known before, and no others', async () => {
    stored = undefined;
    const started = createAccountDirectory(db, box, noAdapter);
    started.isKnown('a');
    await loaded();
    expect(started.isKnown('a')).toBe(false);
    stored = ['a'];
    nowMs += 10_000;
    started.isKnown('a');
    await loaded();
    expect(started.isKnown('a')).toBe(true);
    stored = undefined;
    nowMs += 10_000;
    expect([started.isKnown('a'), started.isKnown('b')]).toEqual([true, false]);
    await loaded();
    expect([started.isKnown('a'), started.isKnown('b')]).toEqual([true, false]);
    expect(questions).toBe(3);
  });
});
