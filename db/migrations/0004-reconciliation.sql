-- Up Migration

-- What the account costs per payment: {"basis_points": 290, "fixed_minor_by_currency": {"USD": 30}}. NULL: the channel's
-- list price (src/domain/fees.ts).
ALTER TABLE channel_accounts ADD COLUMN fees JSONB;

-- How far reconciliation has come, by account and kind. The position is that of the last object looked at; NULL: at the
-- beginning. A run that was cut is carried on by the next one.
CREATE TABLE reconciliation_cursors (
  channel_account_id  UUID NOT NULL REFERENCES channel_accounts (id),
  object_kind         TEXT NOT NULL CHECK (object_kind IN ('payment', 'pre_auth', 'refund')),
  closed_at           TIMESTAMPTZ,              -- infinity: among the live ones
  merchant_id         UUID,
  object_no           VARCHAR(64),
  finished_at         TIMESTAMPTZ,              -- when every object had been looked at
  PRIMARY KEY (channel_account_id, object_kind),
  CHECK ((closed_at IS NULL) = (merchant_id IS NULL) AND (closed_at IS NULL) = (object_no IS NULL))
);

-- The order in which reconciliation walks, read backwards: live objects first, then those closed last.
CREATE INDEX pre_auths_reconciliation ON pre_auths
  (channel_account_id, (coalesce(closed_at, 'infinity'::timestamptz)), merchant_id, pre_auth_no);
CREATE INDEX payments_reconciliation ON payments
  (channel_account_id, (coalesce(closed_at, 'infinity'::timestamptz)), merchant_id, payment_no);
CREATE INDEX refunds_reconciliation ON refunds
  (channel_account_id, (coalesce(closed_at, 'infinity'::timestamptz)), merchant_id, refund_no);

-- Listed by when they were first seen, which does not move while somebody turns the pages.
DROP INDEX discrepancies_open;
CREATE INDEX discrepancies_list ON discrepancies (first_seen DESC, id DESC);

-- What the settlement report of a day adds up.
CREATE INDEX payment_events_money ON payment_events (created_at, merchant_id)
  WHERE type IN ('payment.success', 'pre_auth.captured', 'refund.success', 'refund.failed');
CREATE INDEX imported_refunds_success ON imported_refunds (updated_at) WHERE status = 'success';
CREATE INDEX disputes_lost ON disputes (closed_at) WHERE status = 'lost';
CREATE INDEX late_payments_day ON late_payments (created_at);

-- Down Migration
DROP INDEX late_payments_day;
DROP INDEX disputes_lost;
DROP INDEX imported_refunds_success;
DROP INDEX payment_events_money;
DROP INDEX discrepancies_list;
CREATE INDEX discrepancies_open ON discrepancies (last_seen DESC, id) WHERE state = 'open';
DROP INDEX refunds_reconciliation;
DROP INDEX payments_reconciliation;
DROP INDEX pre_auths_reconciliation;
DROP TABLE reconciliation_cursors;
ALTER TABLE channel_accounts DROP COLUMN fees;
