-- Up Migration

-- Money taken at once. Inserted by the API; from then on only the payment's workflow changes the row, each time raising
-- version, except that refunds reserve on it and imported refunds count on it without raising the version.
CREATE TABLE payments (
  merchant_id           UUID NOT NULL REFERENCES merchants (id),
  payment_no            VARCHAR(64) NOT NULL,
  order_no              VARCHAR(64) NOT NULL,
  world                 TEXT NOT NULL CHECK (world IN ('live', 'test')),
  channel               TEXT NOT NULL CHECK (channel IN ('stripe', 'paypal', 'alipay', 'crypto')),
  channel_account_id    UUID NOT NULL REFERENCES channel_accounts (id),
  channel_payment_no    VARCHAR(255),
  channel_trade_no      VARCHAR(255),           -- under which its money is refunded, where that is another number
  currency              CHAR(3) NOT NULL,
  amount                BIGINT NOT NULL CHECK (amount > 0 AND amount <= 9007199254740991),
  amount_paid           BIGINT NOT NULL DEFAULT 0 CHECK (amount_paid >= 0),
  refund_reserved       BIGINT NOT NULL DEFAULT 0 CHECK (refund_reserved >= 0),   -- refunds of ours, under way or done
  refunded_external     BIGINT NOT NULL DEFAULT 0 CHECK (refunded_external >= 0), -- refunds made by hand at the channel
  status                TEXT NOT NULL CHECK (status IN ('pending', 'requires_action', 'processing', 'success', 'failed',
                          'cancelled', 'expired')),
  version               INT NOT NULL DEFAULT 1,
  event_sequence        INT NOT NULL DEFAULT 0,
  handed_out            BOOLEAN NOT NULL DEFAULT false, -- a next action was given to the customer: no other channel any more
  customer_email        VARCHAR(254),
  description           VARCHAR(1000),
  country               CHAR(2),
  return_url            VARCHAR(2000),
  notify_url            VARCHAR(500),
  metadata              JSONB NOT NULL DEFAULT '{}',
  customer_step_sealed  TEXT,
  decline_code          VARCHAR(50),
  cancel_reason         VARCHAR(500),
  body_hash             BYTEA NOT NULL,
  needs_attention       VARCHAR(200),
  created_at            TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at            TIMESTAMPTZ NOT NULL DEFAULT now(),
  expires_at            TIMESTAMPTZ NOT NULL,
  closed_at             TIMESTAMPTZ,
  owner_checked_at      TIMESTAMPTZ,
  PRIMARY KEY (merchant_id, payment_no),
  UNIQUE (channel_account_id, channel_payment_no),
  CHECK (refund_reserved <= amount_paid),
  CHECK (status <> 'success' OR amount_paid > 0),
  CHECK ((closed_at IS NOT NULL) = (status IN ('success', 'failed', 'cancelled', 'expired')))
);
CREATE INDEX payments_list ON payments (merchant_id, created_at DESC, payment_no DESC);
CREATE INDEX payments_order ON payments (merchant_id, order_no);
CREATE INDEX payments_closed_unchecked ON payments (closed_at) WHERE closed_at IS NOT NULL AND owner_checked_at <= closed_at;
CREATE INDEX payments_live ON payments (owner_checked_at NULLS FIRST) WHERE closed_at IS NULL;

CREATE INDEX payments_trade ON payments (channel_account_id, channel_trade_no) WHERE channel_trade_no IS NOT NULL;

-- A captured hold is refunded like a payment.
ALTER TABLE pre_auths
  ADD COLUMN channel_trade_no   VARCHAR(255),
  ADD COLUMN refund_reserved    BIGINT NOT NULL DEFAULT 0 CHECK (refund_reserved >= 0),
  ADD COLUMN refunded_external  BIGINT NOT NULL DEFAULT 0 CHECK (refunded_external >= 0),
  ADD CHECK (refund_reserved <= amount_captured);

CREATE INDEX pre_auths_trade ON pre_auths (channel_account_id, channel_trade_no) WHERE channel_trade_no IS NOT NULL;

-- Money that arrived although the object was closed, or at another amount than asked for. Never ignored, and never a
-- reason to reopen the object.
CREATE TABLE late_payments (
  id                  UUID PRIMARY KEY,
  merchant_id         UUID NOT NULL REFERENCES merchants (id),
  object_kind         TEXT NOT NULL CHECK (object_kind IN ('payment', 'pre_auth')),
  object_no           VARCHAR(64) NOT NULL,
  channel_account_id  UUID NOT NULL REFERENCES channel_accounts (id),
  channel_trade_no    VARCHAR(255) NOT NULL,    -- which money: a second look at the same adds nothing
  kind                TEXT NOT NULL CHECK (kind IN ('late', 'partial', 'over')),
  currency            CHAR(3) NOT NULL,
  amount              BIGINT NOT NULL CHECK (amount > 0),
  refund_reserved     BIGINT NOT NULL DEFAULT 0 CHECK (refund_reserved >= 0),
  state               TEXT NOT NULL CHECK (state IN ('needs_attention', 'refunding', 'refunded', 'kept')),
  created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
  UNIQUE (channel_account_id, channel_trade_no, kind),
  CHECK (refund_reserved <= amount)
);
CREATE INDEX late_payments_merchant ON late_payments (merchant_id, created_at DESC, id DESC);
CREATE INDEX late_payments_object ON late_payments (merchant_id, object_kind, object_no);

ALTER TABLE merchants
  ADD COLUMN late_money TEXT NOT NULL DEFAULT 'attention' CHECK (late_money IN ('attention', 'refund'));

-- Money given back. late_payment_id: from money that arrived late, which is reserved there and not on the object.
CREATE TABLE refunds (
  merchant_id         UUID NOT NULL REFERENCES merchants (id),
  refund_no           VARCHAR(64) NOT NULL,
  object_kind         TEXT NOT NULL CHECK (object_kind IN ('payment', 'pre_auth')),
  object_no           VARCHAR(64) NOT NULL,
  late_payment_id     UUID REFERENCES late_payments (id),
  order_no            VARCHAR(64) NOT NULL,
  world               TEXT NOT NULL CHECK (world IN ('live', 'test')),
  channel             TEXT NOT NULL CHECK (channel IN ('stripe', 'paypal', 'alipay', 'crypto')),
  channel_account_id  UUID NOT NULL REFERENCES channel_accounts (id),
  channel_refund_no   VARCHAR(255),
  currency            CHAR(3) NOT NULL,
  amount              BIGINT NOT NULL CHECK (amount > 0 AND amount <= 9007199254740991),
  status              TEXT NOT NULL CHECK (status IN ('pending', 'success', 'failed')),
  version             INT NOT NULL DEFAULT 1,
  event_sequence      INT NOT NULL DEFAULT 0,
  reason              VARCHAR(500),
  notify_url          VARCHAR(500),
  claim_sealed        TEXT,                     -- where the customer claims the money, encrypted
  decline_code        VARCHAR(50),
  body_hash           BYTEA NOT NULL,
  needs_attention     VARCHAR(200),
  created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
  closed_at           TIMESTAMPTZ,
  owner_checked_at    TIMESTAMPTZ,
  PRIMARY KEY (merchant_id, refund_no),
  UNIQUE (channel_account_id, channel_refund_no),
  CHECK ((closed_at IS NOT NULL) = (status IN ('success', 'failed')))
);
CREATE INDEX refunds_object ON refunds (merchant_id, object_kind, object_no, created_at);
CREATE INDEX refunds_closed_unchecked ON refunds (closed_at) WHERE closed_at IS NOT NULL AND owner_checked_at <= closed_at;
CREATE INDEX refunds_live ON refunds (owner_checked_at NULLS FIRST) WHERE closed_at IS NULL;

-- Refunds made in the channel's own dashboard, found when the object was read: they count in refunded_external.
CREATE TABLE imported_refunds (
  channel_account_id  UUID NOT NULL REFERENCES channel_accounts (id),
  channel_refund_no   VARCHAR(255) NOT NULL,
  merchant_id         UUID NOT NULL REFERENCES merchants (id),
  object_kind         TEXT NOT NULL CHECK (object_kind IN ('payment', 'pre_auth')),
  object_no           VARCHAR(64) NOT NULL,
  currency            CHAR(3) NOT NULL,
  amount              BIGINT NOT NULL CHECK (amount > 0),
  status              TEXT NOT NULL CHECK (status IN ('pending', 'success', 'failed')),
  created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (channel_account_id, channel_refund_no)
);
CREATE INDEX imported_refunds_object ON imported_refunds (merchant_id, object_kind, object_no);

-- Chargebacks. While one is open or lost, its amount cannot be refunded besides.
CREATE TABLE disputes (
  id                  UUID PRIMARY KEY,
  merchant_id         UUID NOT NULL REFERENCES merchants (id),
  object_kind         TEXT NOT NULL CHECK (object_kind IN ('payment', 'pre_auth')),
  object_no           VARCHAR(64) NOT NULL,
  channel_account_id  UUID NOT NULL REFERENCES channel_accounts (id),
  channel_dispute_no  VARCHAR(255) NOT NULL,
  currency            CHAR(3) NOT NULL,
  amount              BIGINT NOT NULL CHECK (amount > 0),
  reason              VARCHAR(100) NOT NULL,
  status              TEXT NOT NULL CHECK (status IN ('open', 'won', 'lost')),
  opened_at           TIMESTAMPTZ NOT NULL DEFAULT now(),
  closed_at           TIMESTAMPTZ,
  UNIQUE (channel_account_id, channel_dispute_no),
  CHECK ((closed_at IS NULL) = (status = 'open'))
);
CREATE INDEX disputes_object ON disputes (merchant_id, object_kind, object_no);

-- What reconciliation found different and could not settle by itself. One row per object and field, seen again and again.
CREATE TABLE discrepancies (
  id           UUID PRIMARY KEY,
  merchant_id  UUID NOT NULL REFERENCES merchants (id),
  object_kind  TEXT NOT NULL CHECK (object_kind IN ('payment', 'pre_auth', 'refund')),
  object_no    VARCHAR(64) NOT NULL,
  channel      TEXT NOT NULL,
  field        VARCHAR(50) NOT NULL,
  ours         VARCHAR(200) NOT NULL,
  theirs       VARCHAR(200) NOT NULL,
  state        TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved')),
  first_seen   TIMESTAMPTZ NOT NULL DEFAULT now(),
  last_seen    TIMESTAMPTZ NOT NULL DEFAULT now(),
  resolved_at  TIMESTAMPTZ,
  resolved_by  VARCHAR(100),
  UNIQUE (merchant_id, object_kind, object_no, field)
);
CREATE INDEX discrepancies_open ON discrepancies (last_seen DESC, id) WHERE state = 'open';

-- The event's subject, so that a refund's or a dispute's news finds its object. And the refund's number where the event names
-- it besides its object: a channel without a list of refunds is asked for it by that.
ALTER TABLE channel_events
  ADD COLUMN subject TEXT NOT NULL DEFAULT 'other' CHECK (subject IN ('payment', 'pre_auth', 'refund', 'dispute', 'other')),
  ADD COLUMN channel_refund_no VARCHAR(255);

-- Down Migration
ALTER TABLE channel_events DROP COLUMN subject, DROP COLUMN channel_refund_no;
DROP TABLE discrepancies;
DROP TABLE disputes;
DROP TABLE imported_refunds;
DROP TABLE refunds;
ALTER TABLE merchants DROP COLUMN late_money;
DROP TABLE late_payments;
ALTER TABLE pre_auths DROP COLUMN channel_trade_no, DROP COLUMN refund_reserved, DROP COLUMN refunded_external;
DROP TABLE payments;
