/** A Holdfast with two channels, and a gate before the first that answers for it, or is shut. */
import { createServer, request } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startPayPalSandbox } from '../../dev/paypal-sandbox/server';
import type { PayPalSandbox } from '../../dev/paypal-sandbox/server';
import { readAttempts } from '../../src/stores/attempts';
import type { RefundedRef } from '../../src/domain/refund';
import { startSystem } from './harness';
import type { System } from './harness';
import { PaymentClient, PAYMENT_SETTINGS, paymentOf } from './payment-client';
import { PayPalShop } from './paypal-shop';

/** What the gate says to a create instead of the channel. */
export const STRIPE_SAYS = {
  badKey: { status: 401, error: { type: 'invalid_request_error', message: 'Invalid API Key' } },
  issuerAway: {
    status: 402,
    error: { type: 'card_error', code: 'card_declined', decline_code: 'issuer_not_available', message: 'x' },
  },
  stolen: {
    status: 402,
    error: { type: 'card_error', code: 'card_declined', decline_code: 'stolen_card', message: 'x' },
  },
  tooMany: { status: 429, error: { type: 'invalid_request_error', code: 'rate_limit', message: 'x' } },
} as const;
type Said = (typeof STRIPE_SAYS)[keyof typeof STRIPE_SAYS];

class Gate {
  /** null: the channel itself answers. */
  says: Said | null = null;
  creates = 0;
  private server: Server | undefined;
  private port = 0;

  constructor(private readonly target: string) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async open(): Promise<void> {
    const server = createServer((req, res) => this.answer(req, res));
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** Connections are refused from now on. */
  async shut(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  private answer(req: IncomingMessage, res: ServerResponse): void {
    const isCreate = req.method === 'POST' && req.url === '/v1/payment_intents';
    if (isCreate) this.creates += 1;
    if (isCreate && this.says !== null) {
      const { status, error } = this.says;
      req.resume();
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
      return;
    }
    const { method, headers } = req;
    const through = request(`${this.target}${req.url ?? ''}`, { method, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    through.on('error', () => res.destroy());
    req.pipe(through);
  }
}

/** The decisions of orders that name no channel, or none of these. */
const RANKED = ['stripe', 'crypto', 'paypal'];

// Whatever routing would have decided: these tests begin with what was decided.
const REWRITE = `
CREATE TABLE test_ranking (ranked JSONB NOT NULL);
CREATE FUNCTION rewrite_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.decision := NEW.decision || coalesce(
    (SELECT jsonb_build_object('level', 'smart', 'ranked', ranked) FROM test_ranking LIMIT 1), '{}');
  RETURN NEW;
END $$;
CREATE TRIGGER rewrite BEFORE INSERT ON routing_decisions FOR EACH ROW EXECUTE FUNCTION rewrite_decision()`;

export class FailoverShop {
  private constructor(
    readonly system: System,
    readonly stripe: Gate,
    readonly paypal: PayPalShop,
    private readonly sandbox: PayPalSandbox,
  ) {}

  static async open(): Promise<FailoverShop> {
    const sandbox = await startPayPalSandbox();
    const environment = { PAYPAL_API_BASE: sandbox.url, ...PAYMENT_SETTINGS };
    const system = await startSystem({ environment, workerCount: 0 });
    const stripe = new Gate(system.sandbox.url);
    await stripe.open();
    await system.startWorker({ STRIPE_API_BASE: stripe.url });
    await system.db.query(REWRITE);
    const shop = new FailoverShop(system, stripe, new PayPalShop(system, sandbox), sandbox);
    await shop.paypal.connect();
    await shop.rank(RANKED);
    return shop;
  }

  get payments(): PaymentClient {
    return new PaymentClient(this.system.client(), this.system.sandbox.url);
  }

  /** How the decisions from now on rank the channels; null: as they were made. */
  async rank(channels: readonly string[] | null): Promise<void> {
    await this.system.db.query('DELETE FROM test_ranking');
    if (channels === null) return;
    await this.system.db.query('INSERT INTO test_ranking VALUES ($1)', [JSON.stringify(channels)]);
  }

  /** Both channels again as they should be. */
  async restore(): Promise<void> {
    this.stripe.says = null;
    this.stripe.creates = 0;
    await this.stripe.shut();
    await this.stripe.open();
    await this.paypal.restore();
    await this.system.sandbox.clearFaults();
    await this.rank(RANKED);
  }

  /** Its row is there before any channel has answered. */
  async begin(fields: object = {}): Promise<string> {
    const body = paymentOf(fields);
    void this.payments.create(body).catch(() => undefined);
    for (;;) {
      const [row] = await this.system.rows<{ payment_no: string }>(
        'SELECT payment_no FROM payments WHERE order_no = $1',
        [body.order_no],
      );
      if (row !== undefined) return row.payment_no;
    }
  }

  /** Channel, outcome and code of each attempt. */
  async attempts(no: string, kind: RefundedRef['kind'] = 'payment'): Promise<string[]> {
    const { merchantId } = this.system.merchant;
    const attempts = await readAttempts(this.system.db, { merchantId, kind, no });
    return attempts.map(({ channel, outcome, code }) =>
      [channel, outcome, ...((code ?? '') ? [code] : [])].join(' '),
    );
  }

  workflowId(no: string): string {
    return `payment/${this.system.merchant.merchantId}/${no}`;
  }

  /** How many orders PayPal has made for this payment or hold. */
  async ordersAtPayPal(workflowId: string): Promise<number> {
    return (await this.paypal.books(workflowId)).orders.length;
  }

  async intentsAtStripe(workflowId: string): Promise<number> {
    return (await this.system.sandbox.books(workflowId)).payment_intents.length;
  }

  async close(): Promise<void> {
    await this.system.stop();
    await this.stripe.shut();
    await this.sandbox.stop();
  }
}
