/** The warning of a window is told once within the window's length, whoever counts: Redis, or processes by themselves. */
import { randomUUID } from 'node:crypto';
import { createMerchant } from '../../src/stores/merchants';
import { createDatabase } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import { appendRateLimitWarning } from '../../src/stores/rate-limit-warnings';
import { createSecretBox } from '../../src/stores/secret-box';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';

const MINUTE_MS = 60_000;
/** Where one stretch of time ends and the next begins. */
const BORDER_MS = Date.parse('2026-03-01T10:00:00Z');

let database: TestDatabase;
let db: Database;
let merchantId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDatabase(database.config, () => undefined);
});
afterAll(async () => {
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  merchantId = (await createMerchant(db, createSecretBox(database.config.HOLDFAST_ENCRYPTION_KEYS), 'W')).live
    .id;
  await db.query(
    `INSERT INTO webhook_endpoints (id, merchant_id, kind, url) VALUES ($1, $2, 'explicit', 'https://shop.example/')`,
    [randomUUID(), merchantId],
  );
});

const SECONDS = { minute: 60, hour: 3_600 } as const;
const warn = (atMs: number, window: keyof typeof SECONDS = 'minute') =>
  appendRateLimitWarning(
    db,
    { merchantId, tier: 'starter', limit: 500, window, windowSeconds: SECONDS[window], at: new Date(atMs) },
    5,
  ).then((told) => told.length);

it('is told once by Redis before, and by the processes after the switch, also where a new stretch has begun', async () => {
  expect(await warn(BORDER_MS - 1_000)).toBe(1);
  expect(await warn(BORDER_MS - 500)).toBe(0);
  expect(await warn(BORDER_MS + 5_000)).toBe(0);
  expect(await warn(BORDER_MS + 58_999)).toBe(0);
  // A marker goes by whole seconds.
  expect(await warn(BORDER_MS + 59_000)).toBe(1);
});

it('is told once also when the earlier one is written later', async () => {
  expect(await warn(BORDER_MS + 5_000)).toBe(1);
  expect(await warn(BORDER_MS - 1_000)).toBe(0);
});

it('is told once by four processes that write at the same moment on both sides of the border', async () => {
  for (let round = 0; round < 10; round += 1) {
    const border = BORDER_MS + 10 * round * MINUTE_MS;
    const told = await Promise.all([-900, 100, -400, 700].map((offset) => warn(border + offset)));
    expect(told.reduce((sum, one) => sum + one)).toBe(1);
  }
});

it('is told of each window, and of each minute that has its own', async () => {
  expect(await warn(BORDER_MS)).toBe(1);
  expect(await warn(BORDER_MS, 'hour')).toBe(1);
  expect(await warn(BORDER_MS + MINUTE_MS)).toBe(1);
  expect(await warn(BORDER_MS + 2 * MINUTE_MS)).toBe(1);
  expect(await warn(BORDER_MS + 59 * MINUTE_MS, 'hour')).toBe(0);
  expect(await warn(BORDER_MS + 60 * MINUTE_MS, 'hour')).toBe(1);
});
