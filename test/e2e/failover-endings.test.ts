/** A payment or hold that ends between two channels: by a command, by its time, or because nobody can be reached. */
import { randomUUID } from 'node:crypto';
import { eventTypesOf } from './checks';
import { FailoverShop, STRIPE_SAYS } from './failover-shop';
import { eventually } from './harness';
import { CREATE_PATH, holdOf } from './merchant-client';
import type { MerchantClient, Reply } from './merchant-client';
import { paymentOf } from './payment-client';

let shop: FailoverShop;
/** Of an API that waits for nobody. */
let hasty: MerchantClient;

// What lives for a second changes its channel only when that second is over, also by the clock of its workflow, which a
// busy machine sets back: it counts a local activity from when it was asked for.
const DAWDLE = `
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE ends timestamptz;
BEGIN
  SELECT expires_at INTO ends FROM (
    SELECT expires_at, created_at FROM payments WHERE payment_no = NEW.object_no
    UNION ALL SELECT expires_at, created_at FROM pre_auths WHERE pre_auth_no = NEW.object_no) object
  WHERE expires_at - created_at < interval '2 s';
  IF FOUND THEN PERFORM pg_sleep_until(ends + interval '500 ms'); END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER dawdle BEFORE INSERT ON channel_calls FOR EACH ROW WHEN (NEW.operation = 'create' AND NEW.n = 2)
  EXECUTE FUNCTION dawdle()`;

beforeAll(async () => {
  shop = await FailoverShop.open();
  hasty = shop.system.client(shop.system.merchant, await shop.system.startApi({ API_WAIT_TIMEOUT: '1' }));
  await shop.system.db.query(DAWDLE);
}, 120_000);
afterAll(() => shop?.close());
afterEach(() => shop?.restore());

type View = { readonly status: string } & Readonly<Record<string, unknown>>;

/** Payments and holds, as far as they differ here. */
const KINDS = [
  {
    kind: 'payment' as const,
    ...{ path: '/api/v1/payments', cancelled: 'cancelled', closed: 'PAYMENT_CLOSED' },
    ...{ events: ['payment.cancelled', 'payment.expired'], attribute: 'payment_no' },
    address: (no: string) => `/api/v1/payments/${no}`,
    body: (fields: object): object => paymentOf(fields),
  },
  {
    kind: 'pre_auth' as const,
    ...{ path: CREATE_PATH, cancelled: 'canceled', closed: 'PRE_AUTH_CLOSED' },
    ...{ events: ['pre_auth.canceled', 'pre_auth.expired'], attribute: 'pre_auth_no' },
    address: (no: string) => `/api/v1/pre-auth/${no}`,
    body: (fields: object): object => holdOf({ channel: 'stripe', ...fields }),
  },
];
type Kind = (typeof KINDS)[number];

const post = (client: MerchantClient, path: string, json: object, key?: string): Promise<Reply<View>> =>
  client.call<View>(path, { json, ...(key !== undefined && { key }) });

/** The object's calls: operation, state, and whose they are. */
async function callsOf(no: string): Promise<string[]> {
  const rows = await shop.system.rows<{ operation: string; state: string; command_id: string }>(
    'SELECT operation, state, command_id FROM channel_calls WHERE object_no = $1 ORDER BY created_at, n',
    [no],
  );
  return rows.map(({ operation, state, command_id: id }) =>
    [operation, state, /^[0-9a-f-]{36}$/.test(id) ? 'of the caller' : id].join(' '),
  );
}

const workflowId = ({ kind }: Kind, no: string): string =>
  kind === 'payment' ? shop.workflowId(no) : shop.system.workflowId(no);

describe.each(KINDS)('a $kind between two channels', (kind) => {
  it('answers a repeated cancel as the first one, while it is alive and when it is closed', async () => {
    await shop.system.sandbox.fault('create', 'error_stored_not_executed');
    const made = await post(hasty, kind.path, kind.body({}));
    expect(made.status).toBe(202);
    const no = String(made.data[kind.attribute]);
    await eventually(
      'the first reading',
      () =>
        shop.system.rows<{ first_absent_at: Date | null }>(
          'SELECT first_absent_at FROM channel_calls WHERE object_no = $1',
          [no],
        ),
      ([call]) => call?.first_absent_at != null,
    );
    // Nobody there to accept it: what the API sends is in the workflow's history, and waits.
    const [worker] = shop.system.workers;
    await worker?.stop();
    const cancel = (key: string) => post(hasty, `${kind.address(no)}/cancel`, { reason: 'no longer' }, key);
    const key = randomUUID();
    expect((await cancel(key)).status).toBe(202);

    await worker?.restart();
    const first = await eventually(
      'the first answer',
      () => cancel(key),
      ({ status }) => status !== 202,
      60_000,
    );
    expect(first).toMatchObject({ status: 200, data: { status: kind.cancelled } });
    const workflow = shop.system.temporal.workflow.getHandle(workflowId(kind, no));
    expect(await workflow.result()).toBe(kind.cancelled);
    expect(await shop.attempts(no, kind.kind)).toEqual([
      'stripe not_executed proved_absent',
      'paypal not_executed not_sent',
    ]);
    expect(await callsOf(no)).toEqual([
      'create not_executed create',
      'create not_executed create',
      'cancel executed of the caller',
    ]);
    expect(await shop.ordersAtPayPal(workflowId(kind, no))).toBe(0);
    expect(await eventTypesOf(shop.system, no)).toEqual([kind.events[0]]);
    // The answer that was kept is gone: the row tells the same.
    await shop.system.db.query(
      'UPDATE idempotency_records SET response_sealed = NULL, response_status = NULL',
    );
    expect(await cancel(key)).toMatchObject({ status: 200, data: first.data });
    expect(await cancel(randomUUID())).toMatchObject({ status: 409, code: kind.closed });
  }, 120_000);

  it('expires there when its time is over', async () => {
    shop.stripe.says = STRIPE_SAYS.badKey;
    const key = randomUUID();
    const body = kind.body({ expires_in: 1 });
    const reply = await post(shop.system.client(), kind.path, body, key);
    expect(reply).toMatchObject({ status: 402, code: 'CHANNEL_NOT_REACHED' });
    expect(reply.details).toMatchObject({ status: 'expired', decline_code: null });
    const no = String(reply.details?.[kind.attribute]);
    expect(await shop.attempts(no, kind.kind)).toEqual([
      'stripe declined account_invalid',
      'paypal not_executed not_sent',
    ]);
    expect(await callsOf(no)).toEqual([
      'create declined create',
      'create not_executed create',
      'cancel executed expiry',
    ]);
    expect(await shop.ordersAtPayPal(workflowId(kind, no))).toBe(0);
    expect(await eventTypesOf(shop.system, no)).toEqual([kind.events[1]]);
    expect(await post(shop.system.client(), kind.path, body, key)).toMatchObject({ details: reply.details });
  }, 60_000);

  it('is no decline when no channel can be reached, and the answer stays', async () => {
    shop.stripe.says = STRIPE_SAYS.tooMany;
    const fault = { match: { operation: 'create_order' }, fault: 'rate_limit', times: 9 };
    await shop.paypal.control('faults', fault);
    const key = randomUUID();
    const body = kind.body({});
    const reply = await post(shop.system.client(), kind.path, body, key);
    expect(reply).toMatchObject({ status: 402, code: 'CHANNEL_NOT_REACHED' });
    expect(reply.details).toMatchObject({ status: 'failed', decline_code: 'channel_unavailable' });
    await shop.restore();
    const again = await post(shop.system.client(), kind.path, body, key);
    expect(again).toMatchObject({ status: 402, code: 'CHANNEL_NOT_REACHED', details: reply.details });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    // The order is free.
    expect((await post(shop.system.client(), kind.path, { ...body, ...renumbered(kind) })).status).toBe(201);
  }, 60_000);
});

const renumbered = ({ kind }: Kind) => (kind === 'payment' ? {} : { pre_auth_no: holdOf().pre_auth_no });
