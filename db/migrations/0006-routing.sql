-- Up Migration

-- What smart routing is configured with. No row means: as built in (src/domain/routing/default-config.ts).

-- One row. Every change locks it first and raises it in its own transaction, so that changes happen one after the other and
-- a process tells by one number whether its copy is the present one. 0 is the built-in configuration.
CREATE TABLE routing_version (
  only_row  BOOLEAN PRIMARY KEY DEFAULT true CHECK (only_row),
  version   BIGINT NOT NULL CHECK (version > 0)
);
INSERT INTO routing_version (version) VALUES (1);

-- `version` of a row: the routing version of its last change.
CREATE TABLE routing_channels (
  channel     TEXT PRIMARY KEY CHECK (channel IN ('stripe', 'paypal', 'alipay', 'crypto')),
  settings    JSONB NOT NULL,                   -- whole, as the API takes it: nothing is added from the built-in ones
  version     BIGINT NOT NULL,
  updated_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Prices. A channel's own rows take the place of its list price, an account's own that of its fee table.
CREATE TABLE channel_fees (
  id            UUID PRIMARY KEY,
  channel       TEXT NOT NULL CHECK (channel IN ('stripe', 'paypal', 'alipay', 'crypto')),
  account_id    UUID REFERENCES channel_accounts (id), -- NULL: every account's
  currency      CHAR(3),
  country       VARCHAR(20),                    -- country or region
  basis_points  INT NOT NULL CHECK (basis_points BETWEEN 0 AND 10000),
  fixed_minor   BIGINT NOT NULL CHECK (fixed_minor BETWEEN 0 AND 9007199254740991),
  version       BIGINT NOT NULL,
  created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
  -- Which of two prices for the same would win nobody should have to know.
  CONSTRAINT channel_fees_one_price UNIQUE NULLS NOT DISTINCT (channel, account_id, currency, country)
);

CREATE TABLE routing_rules (
  id           UUID PRIMARY KEY,
  rule_order   INT NOT NULL CHECK (rule_order >= 0),
  enabled      BOOLEAN NOT NULL,
  merchant_id  UUID REFERENCES merchants (id),
  currency     CHAR(3),
  country      VARCHAR(20),
  min_amount   BIGINT CHECK (min_amount > 0),
  max_amount   BIGINT CHECK (max_amount <= 9007199254740991),
  channel      TEXT NOT NULL CHECK (channel IN ('stripe', 'paypal', 'alipay', 'crypto')),
  weight       INT NOT NULL CHECK (weight BETWEEN 1 AND 1000),
  version      BIGINT NOT NULL,
  created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
  CHECK (min_amount <= max_amount),
  CHECK (currency IS NOT NULL OR (min_amount IS NULL AND max_amount IS NULL))
);

CREATE TABLE merchant_routing (
  merchant_id  UUID PRIMARY KEY REFERENCES merchants (id),
  mode         TEXT CHECK (mode IN ('balanced', 'cost', 'success', 'geographic')), -- NULL: as for all
  smart        BOOLEAN,                         -- false: the rules decide; NULL: as for all
  version      BIGINT NOT NULL,
  updated_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Who changed what, for good. Written with the version row locked: the order of the ids is the order of the changes.
CREATE TABLE routing_audit (
  id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  version     BIGINT NOT NULL UNIQUE,           -- the one this change led to
  actor       VARCHAR(100) NOT NULL,
  request_id  VARCHAR(100) NOT NULL,
  action      TEXT NOT NULL CHECK (action IN ('create', 'replace', 'delete')),
  entity      TEXT NOT NULL CHECK (entity IN ('channel', 'fee', 'rule', 'merchant')),
  entity_id   VARCHAR(100) NOT NULL,
  before      JSONB,                            -- NULL: there was none
  after       JSONB,                            -- NULL: there is none any more
  created_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX routing_audit_list ON routing_audit (created_at DESC, id DESC);
CREATE INDEX routing_audit_entity ON routing_audit (entity, entity_id, created_at DESC, id DESC);

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'routing_audit is only ever added to';
END
$$;
CREATE TRIGGER routing_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON routing_audit
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- Accounts are part of what routing goes by, whoever changes them.
CREATE FUNCTION raise_routing_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE routing_version SET version = version + 1;
  RETURN NULL;
END
$$;
CREATE TRIGGER channel_accounts_routing AFTER INSERT OR UPDATE OR DELETE ON channel_accounts
  FOR EACH STATEMENT EXECUTE FUNCTION raise_routing_version();

-- What the report of fees adds up for one merchant; for all of them it walks payment_events_money.
CREATE INDEX payment_events_paid ON payment_events (merchant_id, created_at)
  WHERE type IN ('payment.success', 'pre_auth.captured');

-- Down Migration
DROP INDEX payment_events_paid;
DROP TRIGGER channel_accounts_routing ON channel_accounts;
DROP TABLE routing_audit, merchant_routing, routing_rules, channel_fees, routing_channels, routing_version;
DROP FUNCTION raise_routing_version, refuse_audit_change;
