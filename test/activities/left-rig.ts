/** Payments and holds that have left a channel, that channel in memory, and the news of it that the pick-up takes up. */
import { randomUUID } from 'node:crypto';
import { asyncLocalStorage } from '@temporalio/activity';
import type { Context } from '@temporalio/activity';
import type { ActivityDeps } from '../../src/activities';
import { processOrPostpone } from '../../src/activities/inbound';
import type { CallIdentity, HoldAnswer, HoldSnapshot } from '../../src/domain/channel';
import type { PaymentAnswer, PaymentSnapshot, RefundSnapshot } from '../../src/domain/channel-payment';
import type { RefundedRef } from '../../src/domain/refund';
import { createLogger } from '../../src/observability/logger';
import type { WaitingEvent } from '../../src/stores/channel-events';
import { openRefundRows } from '../stores/refund-rows';
import type { RefundRows } from '../stores/refund-rows';

export const answer = (snapshot: PaymentSnapshot | HoldSnapshot) =>
  ({ kind: 'done', snapshot }) as PaymentAnswer | HoldAnswer;
export const payment = (fields: Partial<PaymentSnapshot> = {}): PaymentSnapshot => ({
  ...{ channelPaymentNo: 'pi', status: 'requires_action', currency: 'USD', amount: 1_000 },
  ...{ amountPaid: 0, amountRefunded: 0 },
  ...fields,
});
export const canceled = () => payment({ status: 'canceled' });
export const held = (fields: Partial<HoldSnapshot> = {}): HoldSnapshot => ({
  ...{ channelPreAuthNo: 'pi', status: 'requires_capture', currency: 'USD', amount: 1_000 },
  ...{ amountCapturable: 1_000, amountCaptured: 0 },
  ...fields,
});

export const numberOf = (object: RefundedRef) => `pi-${object.no}`;
const idOf = ({ kind, merchantId, no }: RefundedRef) =>
  `${kind === 'payment' ? 'payment' : 'pre-auth'}/${merchantId}/${no}`;
export const keyOf = (object: RefundedRef, n: number) => `${idOf(object)}/cancel-left/${n}`;

export class LeftChannel {
  /** What it shows, what it answers to a cancel, which keys it was sent, which refunds it lists. */
  shown: PaymentSnapshot | HoldSnapshot | undefined;
  onCancel!: () => Promise<PaymentAnswer | HoldAnswer>;
  /** What happens while an answer to the next question is on its way. */
  meanwhile: (() => Promise<void>) | undefined;
  keys: string[] = [];
  refunds: RefundSnapshot[] = [];
  /** Why an operator was called. */
  called: string[] = [];

  private constructor(
    readonly rows: RefundRows,
    /** Where every object has gone; rows.accountId is the account that it has left. */
    private readonly elsewhere: string,
  ) {}

  static async open(): Promise<LeftChannel> {
    const rows = await openRefundRows();
    const elsewhere = randomUUID();
    await rows.db.query(
      `INSERT INTO channel_accounts (id, world, channel, name, credentials_sealed) VALUES ($1, 'test', 'paypal', 'Elsewhere', 'x')`,
      [elsewhere],
    );
    return new LeftChannel(rows, elsewhere);
  }

  restore(): void {
    [this.shown, this.keys, this.refunds, this.called] = [undefined, [], [], []];
    this.meanwhile = undefined;
    this.onCancel = () => Promise.resolve(answer((this.shown = canceled())));
  }

  close(): Promise<void> {
    return this.rows.close();
  }

  /** A payment or hold at the other channel, whose first create was sent to the one that it has left. */
  async moved(kind: RefundedRef['kind'] = 'payment'): Promise<RefundedRef> {
    const { db, merchantId, accountId } = this.rows;
    const no = `NO-${randomUUID()}`;
    const [table, number, channelNo, status] =
      kind === 'payment'
        ? ['payments', 'payment_no', 'channel_payment_no', 'requires_action']
        : ['pre_auths', 'pre_auth_no', 'channel_pre_auth_no', 'requires_capture'];
    await db.query(
      `INSERT INTO ${table} (merchant_id, ${number}, order_no, world, channel, channel_account_id, ${channelNo}, currency, amount, status,
         body_hash, expires_at) VALUES ($1, $2, $2, 'test', 'paypal', $3, $2, 'USD', 1000, $4, '', now() + interval '1 hour')`,
      [merchantId, no, this.elsewhere, status],
    );
    await db.query(
      `INSERT INTO channel_calls (id, merchant_id, object_kind, object_no, channel_account_id, operation, n, amount, currency,
         idempotency_key, command_id, state, settled_at)
       VALUES ($1::uuid, $2, $3, $4, $5, 'create', 1, 1000, 'USD', $1::uuid::text, 'create', 'not_executed', now())`,
      [randomUUID(), merchantId, kind, no, accountId],
    );
    return { merchantId, kind, no };
  }

  /** A payment that has ended before any channel had it, at the channel that the news comes from. */
  async endedUntaken(): Promise<RefundedRef> {
    const object = await this.moved();
    await this.rows.db.query(
      `UPDATE payments SET channel_account_id = $2, channel = 'stripe', channel_payment_no = NULL, status = 'expired', closed_at = now()
       WHERE payment_no = $1`,
      [object.no, this.rows.accountId],
    );
    return object;
  }

  /** News of it as the API has stored it. @param number its number at the channel that it has left; null: not named */
  async news(object: RefundedRef, number: string | null, subject: string = object.kind) {
    const result = await this.rows.db.query<WaitingEvent>(
      `INSERT INTO channel_events (channel_account_id, event_id, type, object_id, holdfast_id, body_sealed, subject)
       VALUES ($1, $2, 'x.happened', $3, $4, 'x', $5) RETURNING *`,
      [this.rows.accountId, randomUUID(), number, idOf(object), subject],
    );
    const [event] = result.rows;
    if (event === undefined) throw new Error('not stored');
    return event;
  }

  /** The news arrived so long ago that the next failure is the last. */
  async makeOld({ id }: WaitingEvent): Promise<void> {
    const text = `UPDATE channel_events SET received_at = now() - interval '73 hours' WHERE id = $1`;
    await this.rows.db.query(text, [id]);
  }

  process(event: WaitingEvent): Promise<void> {
    const context = { cancellationSignal: new AbortController().signal } as unknown as Context;
    return asyncLocalStorage.run(context, () => processOrPostpone(this.deps(), event));
  }

  async eventOf({ id }: WaitingEvent) {
    const text = `SELECT state, attempts, extract(epoch FROM next_attempt_at - now())::int AS wait FROM channel_events WHERE id = $1`;
    return (await this.rows.db.query<{ state: string; attempts: number; wait: number }>(text, [id])).rows[0];
  }

  async leftOf({ no }: RefundedRef) {
    const text = `SELECT channel_no, cancels, cancel_key, cancelled_at IS NOT NULL AS is_cancelled, needs_attention FROM left_objects WHERE object_no = $1`;
    return (await this.rows.db.query<Record<string, unknown>>(text, [no])).rows;
  }

  async notesOf({ no }: RefundedRef): Promise<string[]> {
    const text = `SELECT type FROM payment_events WHERE object_no = $1 ORDER BY id`;
    return (await this.rows.db.query<{ type: string }>(text, [no])).rows.map(({ type }) => type);
  }

  private deps(): ActivityDeps {
    const read = async () => {
      const { shown, meanwhile } = this;
      this.meanwhile = undefined;
      await meanwhile?.();
      return shown;
    };
    const cancel = (_: unknown, { idempotencyKey }: CallIdentity) => {
      this.keys.push(idempotencyKey);
      return this.onCancel();
    };
    const adapter = {
      ...{ channel: 'stripe', queryPayment: read, queryPreAuth: read },
      ...{ cancelPayment: cancel, cancelPreAuth: cancel, listRefunds: () => Promise.resolve(this.refunds) },
    };
    const { db, box } = this.rows;
    return {
      ...{ db, box, log: createLogger('test', 'fatal'), slowExchangeTimeoutMs: 1_000 },
      adapterOf: () => Promise.resolve(adapter),
      workflows: {
        ensure: () => Promise.resolve(),
        resync: () => Promise.reject(new Error('not its workflow')),
      },
      callOperator: (_: unknown, channel: string, reason: string) =>
        this.called.push(`${channel}: ${reason}`),
      ...{ defaultMaxRetries: 5, ringOutbox: () => undefined, now: () => Date.now() },
    } as unknown as ActivityDeps;
  }
}
