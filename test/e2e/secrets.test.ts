/** After all kinds of flows, no secret and no personal datum stands where it must not. */
import { randomUUID } from 'node:crypto';
import { eventually, SECRETS, startSystem } from './harness';
import type { System } from './harness';
import { holdOf } from './merchant-client';
import type { MerchantClient } from './merchant-client';

const PERSONAL = {
  email: `guest-${randomUUID()}@example.com`,
  description: `description-${randomUUID()}`,
  metadata: `metadata-${randomUUID()}`,
};
const personal = {
  customer_email: PERSONAL.email,
  description: PERSONAL.description,
  metadata: { room: PERSONAL.metadata },
};

let system: System;
let client: MerchantClient;
/** What must not be found, by name. */
const secrets = new Map<string, string>();
const numbers: string[] = [];

beforeAll(async () => {
  system = await startSystem({ environment: { LOG_LEVEL: 'debug' } });
  client = system.client();
  secrets.set('the API key', system.merchant.apiKey);
  secrets.set('the admin key', system.adminKey);
  secrets.set("the merchant's webhook secret", system.merchant.webhookSecret);
  secrets.set("the channel's secret key", SECRETS.stripeKey);
  secrets.set("the channel's webhook secret", SECRETS.webhookSecret);
  secrets.set('an Idempotency-Key', `key-${randomUUID()}`);
  await liveThrough();
}, 60_000);
afterAll(() => system?.stop());

async function newHold(fields: object = {}) {
  const reply = await client.create(holdOf({ ...personal, ...fields }));
  expect(reply.status).toBe(201);
  secrets.set(`client_secret ${numbers.length}`, String(reply.data.client_secret));
  numbers.push(reply.data.pre_auth_no);
  return reply.data;
}

/** A capture, a decline, a cancel, an expiry, lost answers, refused requests: everything that writes something. */
async function liveThrough(): Promise<void> {
  const stripe = system.sandbox.url;
  const key = secrets.get('an Idempotency-Key');
  const captured = await newHold();
  await client.confirm(stripe, captured);
  expect((await client.capture(captured.pre_auth_no, { amount: 100 }, key)).status).toBe(200);
  const declined = await newHold();
  await client.confirm(stripe, declined, 'pm_card_captureDeclined');
  expect((await client.capture(declined.pre_auth_no)).status).toBe(402);
  await system.workflow(declined.pre_auth_no).signal('cancel', { by: 'ops' });
  const expiring = await newHold({ expires_in: 2 });
  await client.waitFor(expiring.pre_auth_no, 'expired');
  for (const fault of ['timeout_after', 'error_after', 'error_before'] as const) {
    await system.sandbox.fault('create', fault);
    await newHold();
  }
  await client.create(holdOf({ ...personal, amount: -1 }));
  await client.create({ ...holdOf(personal), order_no: captured.order_no }, key);
  await client.call('/api/v1/pre-auth/x', {
    headers: { authorization: `Bearer ${system.merchant.apiKey}x` },
  });
  await eventually(
    'all events are processed',
    () => system.rows(`SELECT 1 FROM channel_events WHERE state = 'stored'`),
    (rows) => rows.length === 0,
  );
}

function expectNothingIn(where: string, text: string, more: Readonly<Record<string, string>>): void {
  const wanted = [...secrets, ...Object.entries(more)];
  expect(wanted.filter(([, value]) => text.includes(value)).map(([name]) => `${name} in ${where}`)).toEqual(
    [],
  );
}

/** Payloads are bytes, and text within: everything is written out. */
function written(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (Array.isArray(value)) return value.map(written).join('\n');
  if (typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map(([name, inner]) => `${name}: ${written(inner)}`)
      .join('\n');
  return String(value);
}

it('keeps Temporal free of them', async () => {
  let histories = '';
  const query = `TaskQueue = '${system.taskQueue}'`;
  const ids = await eventually(
    'all workflows are listed',
    async () => {
      const found: string[] = [];
      for await (const { workflowId } of system.temporal.workflow.list({ query })) found.push(workflowId);
      return found;
    },
    (found) => numbers.every((no) => found.includes(system.workflowId(no))),
  );
  for (const id of new Set(ids)) {
    const handle = system.temporal.workflow.getHandle(id);
    histories += written(await handle.fetchHistory()) + written((await handle.describe()).raw);
  }
  // What is allowed to be there is found, so what is not would be found too.
  for (const no of numbers) expect(histories).toContain(no);
  expect(histories).toContain('requires_payment_method');
  expectNothingIn('Temporal', histories, PERSONAL);
});

it('keeps the logs free of them', () => {
  for (const kind of ['api', 'worker'] as const) {
    const text = system.logs(kind);
    expect(text.split('\n').length).toBeGreaterThan(3);
    expectNothingIn(`the log of the ${kind}`, text, PERSONAL);
  }
  expect(system.logs('worker')).toContain('outcome unknown');
});

it('keeps the database free of them, but for what belongs to the hold itself', async () => {
  const tables = await system.rows<{ name: string }>(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
  );
  for (const { name } of tables) {
    const own = name === 'pre_auths' ? ` - 'customer_email' - 'description' - 'metadata'` : '';
    const rows = await system.rows<{ text: string }>(
      `SELECT (to_jsonb(t)${own})::text AS text FROM ${name} t`,
    );
    const text = rows.map((row) => row.text).join('\n');
    if (['pre_auths', 'channel_events', 'idempotency_records'].includes(name))
      expect(rows).not.toHaveLength(0);
    expectNothingIn(name, text, PERSONAL);
  }
  const [row] = await system.rows('SELECT customer_email FROM pre_auths WHERE pre_auth_no = $1', [
    numbers[0],
  ]);
  expect(row).toEqual({ customer_email: PERSONAL.email });
});
