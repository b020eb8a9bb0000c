-- Up Migration

-- Keys of operators, beside the one of the environment, which is called root and is in no table.
CREATE TABLE admin_keys (
  id          UUID PRIMARY KEY,
  name        VARCHAR(100) NOT NULL,
  role        TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  display     VARCHAR(24) NOT NULL,             -- first characters, to recognise a key by
  key_hash    BYTEA NOT NULL UNIQUE,            -- SHA-256; the key itself is shown once and never stored
  created_by  VARCHAR(100) NOT NULL,
  created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
  revoked_at  TIMESTAMPTZ,
  revoked_by  VARCHAR(100)
);
-- Whose a name in the audit is must be told without the time: two keys that work never share one.
CREATE UNIQUE INDEX admin_keys_one_name ON admin_keys (lower(name)) WHERE revoked_at IS NULL;

-- Beside the changes, which are written with them: every request of an operator that was to change something, before it was
-- carried out, and every word of an operator to a workflow.
ALTER TABLE admin_audit
  ALTER COLUMN action TYPE VARCHAR(150),        -- of a request: its route
  ALTER COLUMN entity_id TYPE VARCHAR(150),     -- empty: it did not exist yet
  ADD COLUMN via TEXT NOT NULL DEFAULT 'api' CHECK (via IN ('api', 'temporal')), -- temporal: actor is what was typed there
  ADD COLUMN key_id UUID,                       -- the admin key; NULL: root's, or no key
  ADD COLUMN role TEXT,                         -- the key's role
  ADD COLUMN params JSONB;                      -- of the request's address
CREATE INDEX admin_audit_actor ON admin_audit (actor, created_at DESC, id DESC);
CREATE INDEX admin_audit_request ON admin_audit (request_id);

-- What a request came to. None: its process ended first, and the objects tell what was done.
CREATE TABLE admin_audit_outcomes (
  audit_id    BIGINT PRIMARY KEY REFERENCES admin_audit (id),
  status      INT NOT NULL,                     -- of HTTP
  code        VARCHAR(60) NOT NULL,
  object_id   VARCHAR(150),                     -- what was made, where something was
  created_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER admin_audit_outcomes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON admin_audit_outcomes
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- Not NULL: the account takes nothing new, and nothing takes its place; what it holds goes on.
ALTER TABLE channel_accounts ADD COLUMN switched_off_at TIMESTAMPTZ;

-- Down Migration
ALTER TABLE channel_accounts DROP COLUMN switched_off_at;
DROP TABLE admin_audit_outcomes;
DROP INDEX admin_audit_request, admin_audit_actor;
-- What the columns were too narrow for stays as wide as it is.
ALTER TABLE admin_audit
  DROP COLUMN params,
  DROP COLUMN role,
  DROP COLUMN key_id,
  DROP COLUMN via;
DROP TABLE admin_keys;
