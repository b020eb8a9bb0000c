-- Up Migration

-- Merchants. A merchant id belongs to one world; the two ids of one merchant share account_id.
CREATE TABLE merchants (
  id                     UUID PRIMARY KEY,
  account_id             UUID NOT NULL,
  world                  TEXT NOT NULL CHECK (world IN ('live', 'test')),
  name                   VARCHAR(200) NOT NULL,
  tier                   VARCHAR(20) NOT NULL DEFAULT 'starter',
  status                 TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
  webhook_secret_sealed  TEXT NOT NULL,
  created_at             TIMESTAMPTZ NOT NULL DEFAULT now(),
  UNIQUE (account_id, world)
);

CREATE TABLE api_keys (
  id           UUID PRIMARY KEY,
  merchant_id  UUID NOT NULL REFERENCES merchants (id),
  name         VARCHAR(100) NOT NULL,
  display      VARCHAR(24) NOT NULL,            -- first characters, to recognise a key by
  key_hash     BYTEA NOT NULL UNIQUE,           -- SHA-256; the key itself is shown once and never stored
  created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
  revoked_at   TIMESTAMPTZ
);
CREATE INDEX api_keys_merchant ON api_keys (merchant_id, created_at);

-- Accounts at channels. merchant_id NULL: the platform's, for every merchant without one of its own.
CREATE TABLE channel_accounts (
  id                  UUID PRIMARY KEY,
  merchant_id         UUID REFERENCES merchants (id),
  world               TEXT NOT NULL CHECK (world IN ('live', 'test')),
  channel             TEXT NOT NULL CHECK (channel IN ('stripe', 'paypal', 'alipay', 'crypto')),
  name                VARCHAR(100) NOT NULL,
  credentials_sealed  TEXT NOT NULL,
  contract            JSONB NOT NULL DEFAULT '{}',
  enabled             BOOLEAN NOT NULL DEFAULT true,
  created_at          TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX channel_accounts_one_enabled ON channel_accounts
  (channel, world, coalesce(merchant_id, '00000000-0000-0000-0000-000000000000')) WHERE enabled;

-- Holds. Inserted by the API; from then on only the hold's workflow changes the row, each time raising version.
CREATE TABLE pre_auths (
  merchant_id           UUID NOT NULL REFERENCES merchants (id),
  pre_auth_no           VARCHAR(64) NOT NULL,
  order_no              VARCHAR(64) NOT NULL,
  world                 TEXT NOT NULL CHECK (world IN ('live', 'test')),
  channel               TEXT NOT NULL CHECK (channel IN ('stripe', 'paypal', 'alipay', 'crypto')),
  channel_account_id    UUID NOT NULL REFERENCES channel_accounts (id),
  channel_pre_auth_no   VARCHAR(255),
  currency              CHAR(3) NOT NULL,
  amount                BIGINT NOT NULL CHECK (amount > 0 AND amount <= 9007199254740991),
  amount_capturable     BIGINT NOT NULL DEFAULT 0 CHECK (amount_capturable >= 0),
  amount_captured       BIGINT NOT NULL DEFAULT 0 CHECK (amount_captured >= 0),
  status                TEXT NOT NULL CHECK (status IN ('requires_payment_method', 'requires_confirmation', 'requires_action',
                          'processing', 'requires_capture', 'partially_captured', 'succeeded', 'canceled', 'expired', 'failed')),
  version               INT NOT NULL DEFAULT 1,
  event_sequence        INT NOT NULL DEFAULT 0,
  multiple_captures     BOOLEAN NOT NULL DEFAULT false,
  customer_email        VARCHAR(254),
  description           VARCHAR(1000),
  country               CHAR(2),
  return_url            VARCHAR(2000),
  notify_url            VARCHAR(500),
  metadata              JSONB NOT NULL DEFAULT '{}',
  customer_step_sealed  TEXT,                   -- client_secret and next action, encrypted
  decline_code          VARCHAR(50),
  cancel_reason         VARCHAR(500),
  body_hash             BYTEA NOT NULL,         -- decides between "the same hold again" and a conflict
  needs_attention       VARCHAR(200),
  created_at            TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at            TIMESTAMPTZ NOT NULL DEFAULT now(),
  expires_at            TIMESTAMPTZ NOT NULL,
  warned_at             TIMESTAMPTZ,
  closed_at             TIMESTAMPTZ,
  owner_checked_at      TIMESTAMPTZ,            -- when the pick-up or the workflow itself last proved that a workflow owns the row
  PRIMARY KEY (merchant_id, pre_auth_no),
  UNIQUE (channel_account_id, channel_pre_auth_no),
  CHECK (amount_captured + amount_capturable <= amount),
  CHECK ((closed_at IS NOT NULL) = (status IN ('succeeded', 'canceled', 'expired', 'failed')))
);
CREATE INDEX pre_auths_list ON pre_auths (merchant_id, created_at DESC, pre_auth_no DESC);
CREATE INDEX pre_auths_order ON pre_auths (merchant_id, order_no);
CREATE INDEX pre_auths_closed_unchecked ON pre_auths (closed_at) WHERE closed_at IS NOT NULL AND owner_checked_at <= closed_at;
CREATE INDEX pre_auths_live ON pre_auths (owner_checked_at NULLS FIRST) WHERE closed_at IS NULL;

-- An order has at most one live or successful payment or hold.
CREATE TABLE order_claims (
  merchant_id  UUID NOT NULL REFERENCES merchants (id),
  order_no     VARCHAR(64) NOT NULL,
  kind         TEXT NOT NULL CHECK (kind IN ('payment', 'pre_auth')),
  number       VARCHAR(64) NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('live', 'paid')),
  created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (merchant_id, order_no)
);

-- Why a channel was chosen, for every object.
CREATE TABLE routing_decisions (
  merchant_id  UUID NOT NULL REFERENCES merchants (id),
  kind         TEXT NOT NULL CHECK (kind IN ('payment', 'pre_auth')),
  number       VARCHAR(64) NOT NULL,
  decision     JSONB NOT NULL,
  created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (merchant_id, kind, number)
);

-- One row per call that may move money, committed before the call. A step that runs again takes account, amount and
-- key from here and never chooses again.
CREATE TABLE channel_calls (
  id                  UUID PRIMARY KEY,
  merchant_id         UUID NOT NULL REFERENCES merchants (id),
  object_kind         TEXT NOT NULL CHECK (object_kind IN ('payment', 'pre_auth', 'refund')),
  object_no           VARCHAR(64) NOT NULL,
  channel_account_id  UUID NOT NULL REFERENCES channel_accounts (id),
  operation           TEXT NOT NULL CHECK (operation IN ('create', 'capture', 'cancel', 'refund')),
  n                   INT NOT NULL CHECK (n > 0),
  amount              BIGINT NOT NULL CHECK (amount >= 0),
  currency            CHAR(3) NOT NULL,
  final               BOOLEAN NOT NULL DEFAULT true,
  idempotency_key     VARCHAR(255) NOT NULL UNIQUE,
  command_id          VARCHAR(100) NOT NULL,    -- the idempotency record's id, a signal's key, 'create', 'expiry'
  command             JSONB NOT NULL DEFAULT '{}', -- who asked and why: {by, reason}
  state               TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'executed', 'declined', 'not_executed')),
  outcome             JSONB,                    -- decline code, or what an operator decided
  attempts            INT NOT NULL DEFAULT 0,
  last_sent_at        TIMESTAMPTZ,
  stored_error        BOOLEAN NOT NULL DEFAULT false,
  first_absent_at     TIMESTAMPTZ,
  asked               INT NOT NULL DEFAULT 0,   -- how often its unknown outcome was asked for
  asked_at            TIMESTAMPTZ,
  created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
  settled_at          TIMESTAMPTZ,
  UNIQUE (merchant_id, object_kind, object_no, operation, n),
  CHECK ((state = 'open') = (settled_at IS NULL))
);
CREATE UNIQUE INDEX channel_calls_one_open ON channel_calls (merchant_id, object_kind, object_no) WHERE state = 'open';
-- The last line against a second capture for the same command.
CREATE UNIQUE INDEX channel_calls_one_capture ON channel_calls (merchant_id, object_kind, object_no, command_id)
  WHERE operation = 'capture' AND state IN ('open', 'executed');
CREATE INDEX channel_calls_open_age ON channel_calls (last_sent_at) WHERE state = 'open';
CREATE INDEX channel_calls_command ON channel_calls (merchant_id, object_kind, object_no, command_id, n DESC);

-- Who asked for a command over the API, and why: a merchant's free text, which stays out of Temporal.
CREATE TABLE command_notes (
  command_id   VARCHAR(100) PRIMARY KEY,
  merchant_id  UUID NOT NULL REFERENCES merchants (id),
  reason       VARCHAR(500) NOT NULL,
  created_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX command_notes_age ON command_notes (created_at);

-- What happened to an object, for good: events merchants are told of, and what operators and channels did besides.
CREATE TABLE payment_events (
  id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  merchant_id  UUID NOT NULL REFERENCES merchants (id),
  object_kind  TEXT NOT NULL CHECK (object_kind IN ('payment', 'pre_auth', 'refund')),
  object_no    VARCHAR(64) NOT NULL,
  sequence     INT NOT NULL,
  type         VARCHAR(60) NOT NULL,
  status       TEXT NOT NULL,
  data         JSONB NOT NULL DEFAULT '{}',
  created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
  UNIQUE (merchant_id, object_kind, object_no, sequence)
);

-- Requests with an Idempotency-Key. id is the updateId and the command_id of what the request asks for.
CREATE TABLE idempotency_records (
  id               UUID PRIMARY KEY,
  merchant_id      UUID NOT NULL REFERENCES merchants (id),
  route            VARCHAR(200) NOT NULL,
  key_hash         BYTEA NOT NULL,
  body_hash        BYTEA NOT NULL,
  number           VARCHAR(64),                 -- the number generated for the object, kept for whoever takes over
  response_status  INT,
  response_sealed  TEXT,
  lease_token      UUID,
  lease_until      TIMESTAMPTZ,
  created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
  UNIQUE (merchant_id, route, key_hash)
);
CREATE INDEX idempotency_records_age ON idempotency_records (created_at);

-- Where merchants want to be told. kind 'implicit': made for the origin of a notify_url.
CREATE TABLE webhook_endpoints (
  id              UUID PRIMARY KEY,
  merchant_id     UUID NOT NULL REFERENCES merchants (id),
  kind            TEXT NOT NULL CHECK (kind IN ('explicit', 'implicit')),
  url             VARCHAR(500) NOT NULL,        -- an implicit endpoint's is its origin
  event_filter    TEXT[] NOT NULL DEFAULT '{}', -- empty: every event
  enabled         BOOLEAN NOT NULL DEFAULT true,
  max_retries     INT CHECK (max_retries BETWEEN 0 AND 40),
  secret_sealed   TEXT,                         -- NULL: the merchant's default secret
  deleted_at      TIMESTAMPTZ,
  created_at      TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX webhook_endpoints_merchant ON webhook_endpoints (merchant_id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX webhook_endpoints_implicit ON webhook_endpoints (merchant_id, url) WHERE kind = 'implicit' AND deleted_at IS NULL;

-- The outbox: one row per event and endpoint, written in the transaction of the change it tells of.
CREATE TABLE webhook_notifications (
  id             UUID PRIMARY KEY,
  event_id       UUID NOT NULL,                 -- UUIDv5 of object and sequence: a step that runs again adds nothing
  endpoint_id    UUID NOT NULL REFERENCES webhook_endpoints (id),
  merchant_id    UUID NOT NULL REFERENCES merchants (id),
  payment_no     VARCHAR(64) NOT NULL,
  event          VARCHAR(50) NOT NULL,
  url            VARCHAR(500) NOT NULL,
  payload        JSONB NOT NULL,
  body           TEXT NOT NULL,                 -- the exact bytes that are signed and sent
  status         VARCHAR(20) NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'success', 'failed', 'retrying')),
  attempts       INT NOT NULL DEFAULT 0,
  max_attempts   INT NOT NULL,
  status_code    INT,
  response       TEXT,
  error          TEXT,
  next_retry_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
  succeeded_at   TIMESTAMPTZ,
  failed_at      TIMESTAMPTZ,
  created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
  UNIQUE (event_id, endpoint_id)
);
CREATE INDEX idx_webhook_merchant ON webhook_notifications (merchant_id);
CREATE INDEX idx_webhook_payment ON webhook_notifications (merchant_id, payment_no);
CREATE INDEX idx_webhook_retry ON webhook_notifications (next_retry_at) WHERE status IN ('pending', 'retrying');

-- Events that channels sent, stored once, acknowledged only when stored.
CREATE TABLE channel_events (
  id                  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  channel_account_id  UUID NOT NULL REFERENCES channel_accounts (id),
  event_id            VARCHAR(255) NOT NULL,
  type                VARCHAR(100) NOT NULL,
  object_id           VARCHAR(255),
  holdfast_id         VARCHAR(200),
  body_sealed         TEXT NOT NULL,            -- carries client secrets and personal data
  state               TEXT NOT NULL DEFAULT 'stored' CHECK (state IN ('stored', 'processed', 'unmatched')),
  attempts            INT NOT NULL DEFAULT 0,
  next_attempt_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
  received_at         TIMESTAMPTZ NOT NULL DEFAULT now(),
  processed_at        TIMESTAMPTZ,
  UNIQUE (channel_account_id, event_id)
);
CREATE INDEX channel_events_waiting ON channel_events (next_attempt_at) WHERE state = 'stored';

-- Down Migration
-- There is no way back from the first migration: drop the database.
