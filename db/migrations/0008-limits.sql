-- Up Migration

-- How much a merchant may ask. The numbers are those of src/domain/limits/tiers.ts until an operator changes them.
CREATE TABLE tiers (
  name         VARCHAR(20) PRIMARY KEY CHECK (name IN ('starter', 'business', 'enterprise', 'premium')),
  per_second   INT NOT NULL CHECK (per_second BETWEEN 1 AND 10000000),
  per_minute   INT NOT NULL CHECK (per_minute BETWEEN 1 AND 10000000),
  per_hour     INT NOT NULL CHECK (per_hour BETWEEN 1 AND 10000000),
  burst        INT NOT NULL CHECK (burst BETWEEN 1 AND 10000000),
  concurrency  INT NOT NULL CHECK (concurrency BETWEEN 1 AND 10000),
  updated_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);
INSERT INTO tiers (name, per_second, per_minute, per_hour, burst, concurrency) VALUES
  ('starter', 10, 500, 10000, 20, 10),
  ('business', 50, 2500, 50000, 100, 50),
  ('enterprise', 200, 10000, 200000, 400, 200),
  ('premium', 500, 25000, 500000, 1000, 500);
ALTER TABLE merchants ADD CONSTRAINT merchants_tier_fkey FOREIGN KEY (tier) REFERENCES tiers (name);

-- What one merchant may ask otherwise than its tier says; NULL: as the tier.
CREATE TABLE merchant_limits (
  merchant_id  UUID PRIMARY KEY REFERENCES merchants (id),
  per_second   INT CHECK (per_second BETWEEN 1 AND 10000000),
  per_minute   INT CHECK (per_minute BETWEEN 1 AND 10000000),
  per_hour     INT CHECK (per_hour BETWEEN 1 AND 10000000),
  burst        INT CHECK (burst BETWEEN 1 AND 10000000),
  concurrency  INT CHECK (concurrency BETWEEN 1 AND 10000),
  updated_by   VARCHAR(100) NOT NULL,
  updated_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Requests that a merchant signs. For a while after a rotation the secret there was is good too.
ALTER TABLE merchants
  ADD COLUMN signing                         TEXT NOT NULL DEFAULT 'off' CHECK (signing IN ('off', 'required')),
  ADD COLUMN signing_secret_sealed           TEXT,
  ADD COLUMN previous_signing_secret_sealed  TEXT,
  ADD COLUMN previous_signing_secret_until   TIMESTAMPTZ,
  ADD CONSTRAINT merchants_signing_secret CHECK (signing = 'off' OR signing_secret_sealed IS NOT NULL);

-- Nonces of signed requests, kept for as long as their timestamps would be taken. No reference to the merchant: it would
-- lock the merchant's row with every request.
CREATE TABLE request_nonces (
  merchant_id  UUID NOT NULL,
  nonce_hash   BYTEA NOT NULL,                  -- SHA-256
  expires_at   TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (merchant_id, nonce_hash)
);
CREATE INDEX request_nonces_expired ON request_nonces (expires_at);

-- Who changed limits and signing, for good. The processes find here what they have not been told.
CREATE TABLE admin_audit (
  id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  actor       VARCHAR(100) NOT NULL,            -- an admin key's name, or merchant
  request_id  VARCHAR(100) NOT NULL,
  action      VARCHAR(60) NOT NULL,             -- what was done: tier.replace, merchant_limits.replace, ...
  entity      VARCHAR(60) NOT NULL,             -- to what kind of thing: tier, merchant
  entity_id   VARCHAR(100) NOT NULL,
  before      JSONB,                            -- NULL: there was none, or it is a secret
  after       JSONB,                            -- NULL: there is none any more, or it is a secret
  created_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX admin_audit_list ON admin_audit (created_at DESC, id DESC);
CREATE INDEX admin_audit_entity ON admin_audit (entity, entity_id, created_at DESC, id DESC);

CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER admin_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON admin_audit
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- Down Migration
DROP TABLE admin_audit, request_nonces, merchant_limits;
CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'routing_audit is only ever added to';
END
$$;
ALTER TABLE merchants
  DROP CONSTRAINT merchants_signing_secret,
  DROP COLUMN previous_signing_secret_until,
  DROP COLUMN previous_signing_secret_sealed,
  DROP COLUMN signing_secret_sealed,
  DROP COLUMN signing,
  DROP CONSTRAINT merchants_tier_fkey;
DROP TABLE tiers;
