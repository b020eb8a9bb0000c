import { randomUUID } from 'node:crypto';
import { priorityBonusMs } from '../../src/domain/webhook/priority';
import { createMerchant } from '../../src/stores/merchants';
import { appendEndpointDisabled, appendEndpointEvent, appendEvent, eventId } from '../../src/stores/outbox';
import type { ObjectEvent } from '../../src/stores/outbox';
import { createDatabase } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import { createSecretBox } from '../../src/stores/secret-box';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';

interface EndpointState {
  kind?: 'explicit' | 'implicit';
  url?: string;
  filter?: string[];
  enabled?: boolean;
  deleted?: boolean;
  maxRetries?: number;
}

describe('the outbox', () => {
  let database: TestDatabase;
  let db: Database;
  let merchantId: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    db = createDatabase(database.config, () => undefined);
  });
  beforeEach(async () => {
    const box = createSecretBox(database.config.HOLDFAST_ENCRYPTION_KEYS);
    merchantId = (await createMerchant(db, box, 'Outbox')).live.id;
  });
  afterAll(async () => {
    await db.end();
    await database.drop();
  });

  const endpoint = async (state: EndpointState = {}): Promise<string> => {
    const id = randomUUID();
    const {
      kind = 'explicit',
      url = `https://${id}.example/`,
      filter = [],
      enabled = true,
      deleted = false,
    } = state;
    await db.query(
      `INSERT INTO webhook_endpoints (id, merchant_id, kind, url, event_filter, max_retries, enabled, disabled_at, disabled_reason, deleted_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7::boolean, CASE WHEN NOT $7::boolean THEN now() END,
         CASE WHEN NOT $7::boolean THEN 'FAILING' END, CASE WHEN $8::boolean THEN now() END)`,
      [id, merchantId, kind, url, filter, state.maxRetries ?? null, enabled, deleted],
    );
    return id;
  };
  const event = (more: Partial<ObjectEvent> = {}): ObjectEvent => ({
    merchantId,
    objectKind: 'pre_auth',
    objectNo: 'PA1',
    orderNo: 'O1',
    sequence: 1,
    type: 'pre_auth.captured',
    status: 'succeeded',
    amount: 1_000,
    currency: 'USD',
    at: new Date('2025-01-24T12:00:00Z'),
    extra: {},
    notifyUrl: null,
    defaultMaxRetries: 5,
    ...more,
  });
  interface Row {
    endpoint_id: string;
    event_id: string;
    url: string;
    max_attempts: number;
    bonus_ms: number;
    payment_no: string;
    body: string;
    status: string;
  }
  const rows = async (): Promise<Row[]> =>
    (
      await db.query<Row>(
        `SELECT endpoint_id, event_id, url, max_attempts, payment_no, body, status,
           extract(epoch FROM created_at - rank)::float8 * 1000 AS bonus_ms
         FROM webhook_notifications WHERE merchant_id = $1 ORDER BY created_at, endpoint_id`,
        [merchantId],
      )
    ).rows;
  const targets = async () => (await rows()).map((row) => row.endpoint_id).sort();

  it('tells every live endpoint whose filter lets the event pass, disabled ones too, deleted ones not', async () => {
    const all = await endpoint();
    const matching = await endpoint({ filter: ['refund.failed', 'pre_auth.captured'] });
    const disabled = await endpoint({ enabled: false });
    await endpoint({ filter: ['refund.failed'] });
    await endpoint({ deleted: true });
    await endpoint({ kind: 'implicit', url: 'https://other.example' });
    await appendEvent(db, event());
    expect(await targets()).toEqual([all, matching, disabled].sort());
    expect((await rows()).every((row) => row.status === 'pending')).toBe(true);
    await appendEvent(db, event());
    expect(await targets()).toHaveLength(3);
  });

  it('sends a notify_url to the implicit endpoint of its origin, and once where it is an endpoint already', async () => {
    const implicit = await endpoint({ kind: 'implicit', url: 'https://shop.example' });
    await appendEvent(db, event({ notifyUrl: 'https://shop.example/a?b=1' }));
    expect((await rows()).map((row) => [row.endpoint_id, row.url])).toEqual([
      [implicit, 'https://shop.example/a?b=1'],
    ]);
    const explicit = await endpoint({ url: 'https://shop.example/a?b=1' });
    await appendEvent(db, event({ sequence: 2, notifyUrl: 'https://shop.example/a?b=1' }));
    expect(await targets()).toEqual([implicit, explicit].sort());
  });

  it('tells an endpoint once whose URL the notify_url spells otherwise', async () => {
    await endpoint({ kind: 'implicit', url: 'https://shop.example' });
    const explicit = await endpoint({ url: 'https://shop.example/' });
    const same = ['HTTPS://Shop.Example', 'https://shop.example:443/', 'https://shop.example/./'];
    for (const [i, notifyUrl] of same.entries()) await appendEvent(db, event({ sequence: i + 1, notifyUrl }));
    expect(await targets()).toEqual(same.map(() => explicit));
  });

  it('ranks an event by its age and the bonus of its amount', async () => {
    await endpoint();
    await appendEvent(db, event({ amount: 100 }));
    await appendEvent(db, event({ sequence: 2, amount: 90_000_000 }));
    const bonuses = (await rows()).map((row) => Math.round(row.bonus_ms));
    expect(bonuses).toEqual([priorityBonusMs(100, 'USD'), priorityBonusMs(90_000_000, 'USD')]);
    expect(bonuses[1]).toBeGreaterThan(bonuses[0] ?? 0);
  });

  it("allows as many attempts as the endpoint's retries and one, or the default's", async () => {
    await endpoint({ maxRetries: 0 });
    await endpoint({ maxRetries: 40 });
    await endpoint();
    await appendEvent(db, event());
    expect((await rows()).map((row) => row.max_attempts).sort((a, b) => a - b)).toEqual([1, 6, 41]);
  });

  it('sends an event of no payment to one endpoint only, whatever its filter', async () => {
    const only = await endpoint({ filter: ['refund.failed'] });
    await endpoint();
    const id = randomUUID();
    const test = {
      merchantId,
      type: 'webhook.test' as const,
      eventId: id,
      status: 'test',
      at: new Date(),
      extra: {},
      to: { only },
      defaultMaxRetries: 5,
    };
    expect(await appendEndpointEvent(db, test)).toHaveLength(1);
    expect(await appendEndpointEvent(db, test)).toEqual([]);
    const [row] = await rows();
    expect(row).toMatchObject({ endpoint_id: only, event_id: id, payment_no: id });
    expect(JSON.parse(row?.body ?? '')).toMatchObject({
      event: 'webhook.test',
      payment_no: id,
      extra: { sequence: 1 },
    });
  });

  it("sends nothing to another merchant's endpoint, an implicit one or a deleted one", async () => {
    const foreign = await endpoint();
    const [implicit, deleted] = [await endpoint({ kind: 'implicit' }), await endpoint({ deleted: true })];
    const test = {
      type: 'webhook.test' as const,
      status: 'test',
      at: new Date(),
      extra: {},
      defaultMaxRetries: 5,
    };
    const to = (only: string, merchant = merchantId) =>
      appendEndpointEvent(db, { ...test, merchantId: merchant, eventId: randomUUID(), to: { only } });
    expect([await to(foreign, randomUUID()), await to(implicit), await to(deleted)]).toEqual([[], [], []]);
  });

  it('tells the other endpoints once that one was switched off', async () => {
    const off = await endpoint({ enabled: false });
    const told = [
      await endpoint(),
      await endpoint({ filter: ['webhook.endpoint_disabled'] }),
      await endpoint({ enabled: false }),
    ];
    await endpoint({ filter: ['refund.failed'] });
    await endpoint({ deleted: true });
    const disabled = {
      id: off,
      merchantId,
      reason: 'FAILING',
      disabledAt: new Date('2025-01-24T12:00:00.123Z'),
    };
    expect(await appendEndpointDisabled(db, disabled, 5)).toHaveLength(3);
    expect(await appendEndpointDisabled(db, disabled, 5)).toEqual([]);
    expect(await targets()).toEqual([...told].sort());
    const [row] = await rows();
    expect(row?.event_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(JSON.parse(row?.body ?? '')).toMatchObject({
      status: 'disabled',
      extra: { endpoint_id: off, reason: 'FAILING' },
    });
    const later = { ...disabled, disabledAt: new Date('2025-01-25T12:00:00Z') };
    expect(await appendEndpointDisabled(db, later, 5)).toHaveLength(3);
  });

  it('gives the same event the same id for ever', () => {
    const of = { merchantId: ID, objectKind: 'pre_auth' as const, objectNo: 'PA1', sequence: 1 };
    expect(eventId(of)).toBe(eventId({ ...of }));
    expect(eventId({ ...of, sequence: 2 })).not.toBe(eventId(of));
  });
});

const ID = '7b0c4a52-8a0e-4c4b-9a3e-0a5f0d1f6a11';
