/** A database with one merchant, its account, and payments that were paid: what tests of refunds begin with. */
import { createHash, randomUUID } from 'node:crypto';
import type { RefundedRef } from '../../src/domain/refund';
import { createMerchant } from '../../src/stores/merchants';
import { createDatabase } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import { insertRefund } from '../../src/stores/refunds';
import { createSecretBox } from '../../src/stores/secret-box';
import type { SecretBox } from '../../src/stores/secret-box';
import { createTestDatabase } from '../setup/test-database';

export interface RefundRows {
  readonly db: Database;
  readonly box: SecretBox;
  readonly merchantId: string;
  readonly accountId: string;
  /** A payment of 10.00 USD, paid, with the claim on its order. */
  paid(): Promise<RefundedRef>;
  /** A refund of it whose amount is reserved. @returns its number */
  refund(
    object: RefundedRef,
    amount: number,
    fields?: { status?: string; channelNo?: string },
  ): Promise<string>;
  figures(object: RefundedRef): Promise<{ reserved: number; external: number }>;
  hasClaim(object: RefundedRef): Promise<boolean>;
  close(): Promise<void>;
}

export async function openRefundRows(): Promise<RefundRows> {
  const database = await createTestDatabase();
  const db = createDatabase(database.config, () => undefined);
  const box = createSecretBox(database.config.HOLDFAST_ENCRYPTION_KEYS);
  const merchantId = (await createMerchant(db, box, 'Refunds')).test.id;
  const accountId = randomUUID();
  await db.query(
    `INSERT INTO channel_accounts (id, world, channel, name, credentials_sealed) VALUES ($1, 'test', 'stripe', 'Account', 'x')`,
    [accountId],
  );
  return {
    ...{ db, box, merchantId, accountId },
    async paid() {
      const no = `PY-${randomUUID()}`;
      await db.query(
        `INSERT INTO payments (merchant_id, payment_no, order_no, world, channel, channel_account_id, channel_payment_no, currency, amount,
           amount_paid, status, body_hash, expires_at, closed_at)
         VALUES ($1, $2, $2, 'test', 'stripe', $3, $2, 'USD', 1000, 1000, 'success', '\\x00', now(), now())`,
        [merchantId, no, accountId],
      );
      await db.query(
        `INSERT INTO order_claims (merchant_id, order_no, kind, number, state) VALUES ($1, $2, 'payment', $2, 'paid')`,
        [merchantId, no],
      );
      return { merchantId, kind: 'payment', no };
    },
    async refund({ kind, no }, amount, { status = 'pending', channelNo } = {}) {
      const refundNo = `RF-${randomUUID()}`;
      await insertRefund(db, {
        ...{ merchant_id: merchantId, refund_no: refundNo, object_kind: kind, object_no: no, order_no: no },
        ...{ late_payment_id: null, world: 'test', channel: 'stripe', channel_account_id: accountId },
        ...{ currency: 'USD', amount, reason: null, notify_url: null },
        body_hash: createHash('sha256').update(refundNo).digest(),
      });
      await db.query(
        `UPDATE refunds SET status = $2, channel_refund_no = $3, closed_at = CASE WHEN $2 = 'pending' THEN NULL::timestamptz ELSE now() END WHERE refund_no = $1`,
        [refundNo, status, channelNo ?? null],
      );
      if (status !== 'failed')
        await db.query('UPDATE payments SET refund_reserved = refund_reserved + $2 WHERE payment_no = $1', [
          no,
          amount,
        ]);
      return refundNo;
    },
    async figures({ no }) {
      const rows = await db.query<{ reserved: number; external: number }>(
        'SELECT refund_reserved AS reserved, refunded_external AS external FROM payments WHERE payment_no = $1',
        [no],
      );
      return rows.rows[0] ?? { reserved: -1, external: -1 };
    },
    async hasClaim({ no }) {
      return (await db.query('SELECT 1 FROM order_claims WHERE order_no = $1', [no])).rowCount === 1;
    },
    async close() {
      await db.end();
      await database.drop();
    },
  };
}
