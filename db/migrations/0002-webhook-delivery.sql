-- Up Migration

-- Secrets of an endpoint, why it is off, and what its deliveries have shown of its health. The gate stands here because
-- every decision about an endpoint is taken under the lock of its row.
ALTER TABLE webhook_endpoints
  ADD COLUMN normal_url              TEXT,                   -- the URL as it is compared; NULL: as url stands
  ADD COLUMN previous_secret_sealed  TEXT,                   -- signs besides the current one until previous_secret_until
  ADD COLUMN previous_secret_until   TIMESTAMPTZ,
  ADD COLUMN disabled_at             TIMESTAMPTZ,
  ADD COLUMN disabled_reason         VARCHAR(40) CHECK (disabled_reason IN ('MERCHANT', 'GONE', 'FAILING')),
  ADD COLUMN updated_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
  ADD COLUMN failures_in_row         INT NOT NULL DEFAULT 0,  -- attempts since the last 2xx
  ADD COLUMN failing_since           TIMESTAMPTZ,             -- the first of them
  ADD COLUMN last_success_at         TIMESTAMPTZ,
  ADD COLUMN last_failure_at         TIMESTAMPTZ,
  ADD COLUMN last_error              VARCHAR(200),
  ADD COLUMN gated_at                TIMESTAMPTZ,             -- set: only probes go out
  ADD COLUMN next_probe_at           TIMESTAMPTZ,
  ADD COLUMN probes                  INT NOT NULL DEFAULT 0,  -- since the gate shut; even: the newest row next, odd: the least recently tried
  ADD COLUMN ramp                    INT CHECK (ramp > 0),    -- how many at once after the gate has opened; NULL: the full limit
  ADD CHECK ((gated_at IS NULL) = (next_probe_at IS NULL)),
  ADD CHECK (enabled = (disabled_at IS NULL)),
  ADD CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL));
CREATE INDEX webhook_endpoints_probe ON webhook_endpoints (next_probe_at) WHERE gated_at IS NOT NULL;
CREATE INDEX webhook_endpoints_deleted ON webhook_endpoints (deleted_at) WHERE deleted_at IS NOT NULL;

-- The default secret, with which implicit endpoints sign, is rotated like that of an endpoint.
ALTER TABLE merchants
  ADD COLUMN previous_webhook_secret_sealed  TEXT,
  ADD COLUMN previous_webhook_secret_until   TIMESTAMPTZ;

ALTER TABLE webhook_notifications
  ADD COLUMN rank             TIMESTAMPTZ NOT NULL DEFAULT now(), -- creation time minus the bonus of its priority band
  ADD COLUMN last_attempt_at  TIMESTAMPTZ,                        -- probes included
  ADD CHECK ((status = 'success') = (succeeded_at IS NOT NULL)),
  ADD CHECK ((status = 'failed') = (failed_at IS NOT NULL));

DROP INDEX idx_webhook_merchant;
DROP INDEX idx_webhook_retry;
CREATE INDEX idx_webhook_merchant ON webhook_notifications (merchant_id, created_at DESC, id DESC);
CREATE INDEX webhook_notifications_endpoint ON webhook_notifications (endpoint_id, created_at DESC, id DESC);
-- What a lane sends next: the never-tried by rank, the tried by when they are due.
CREATE INDEX webhook_notifications_fresh ON webhook_notifications (endpoint_id, rank, id) WHERE status = 'pending' AND attempts = 0;
CREATE INDEX webhook_notifications_tried ON webhook_notifications (endpoint_id, next_retry_at, id) WHERE status = 'pending' AND attempts > 0;
-- What a probe takes when it is the turn of the least recently tried.
CREATE INDEX webhook_notifications_tried_at ON webhook_notifications (endpoint_id, last_attempt_at, id)
  WHERE status IN ('pending', 'retrying') AND last_attempt_at IS NOT NULL;
-- Carried by a workflow each: counted per endpoint, and swept when overdue.
CREATE INDEX webhook_notifications_in_retry ON webhook_notifications (endpoint_id) WHERE status = 'retrying';
CREATE INDEX idx_webhook_retry ON webhook_notifications (next_retry_at) WHERE status = 'retrying';
CREATE INDEX webhook_notifications_failed ON webhook_notifications (endpoint_id, created_at, id) WHERE status = 'failed';
CREATE INDEX webhook_notifications_delivered ON webhook_notifications (succeeded_at) WHERE status = 'success';

-- Who is sending a notification right now. In a table of its own, because a lease comes and goes with every attempt and
-- would otherwise rewrite every index entry of the notification twice. No foreign key: it would lock the notification's
-- row at every claim; a lease that outlives its notification runs out and is swept.
CREATE TABLE webhook_leases (
  notification_id  UUID PRIMARY KEY,
  endpoint_id      UUID NOT NULL,
  token            UUID NOT NULL,               -- an outcome counts only with it, except that a success always counts
  tried            BOOLEAN NOT NULL,            -- of the places for retries, or of those for first attempts
  until            TIMESTAMPTZ NOT NULL
);
-- Leases come and go thousands of times between two vacuums. What counts a lane walks this index in its order: that marks the
-- entries of released leases as dead, which a bitmap scan would read again at every claim.
CREATE INDEX webhook_leases_endpoint ON webhook_leases (endpoint_id, until) INCLUDE (tried);

-- One row per attempt that counted.
CREATE TABLE webhook_attempts (
  id               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  notification_id  UUID NOT NULL REFERENCES webhook_notifications (id) ON DELETE CASCADE,
  attempt          INT NOT NULL,                -- as X-Webhook-Attempt said; a probe that failed used up none
  kind             TEXT NOT NULL CHECK (kind IN ('first', 'retry', 'probe')),
  url              VARCHAR(500) NOT NULL,
  started_at       TIMESTAMPTZ NOT NULL,
  duration_ms      INT NOT NULL,
  status_code      INT,
  response         TEXT,
  error            VARCHAR(40)                  -- a code of src/domain/webhook/delivery-policy.ts
);
CREATE INDEX webhook_attempts_notification ON webhook_attempts (notification_id, id);

-- Down Migration
DROP TABLE webhook_attempts;
DROP TABLE webhook_leases;
DROP INDEX webhook_notifications_delivered, webhook_notifications_failed, idx_webhook_retry, webhook_notifications_in_retry, webhook_notifications_tried, webhook_notifications_tried_at,
  webhook_notifications_fresh, webhook_notifications_endpoint, idx_webhook_merchant;
ALTER TABLE webhook_notifications DROP COLUMN rank, DROP COLUMN last_attempt_at;
CREATE INDEX idx_webhook_merchant ON webhook_notifications (merchant_id);
CREATE INDEX idx_webhook_retry ON webhook_notifications (next_retry_at) WHERE status IN ('pending', 'retrying');
ALTER TABLE merchants DROP COLUMN previous_webhook_secret_sealed, DROP COLUMN previous_webhook_secret_until;
DROP INDEX webhook_endpoints_probe, webhook_endpoints_deleted;
ALTER TABLE webhook_endpoints DROP COLUMN normal_url,
  DROP COLUMN previous_secret_sealed, DROP COLUMN previous_secret_until, DROP COLUMN disabled_at, DROP COLUMN disabled_reason,
  DROP COLUMN updated_at, DROP COLUMN failures_in_row, DROP COLUMN failing_since, DROP COLUMN last_success_at,
  DROP COLUMN last_failure_at, DROP COLUMN last_error, DROP COLUMN gated_at, DROP COLUMN next_probe_at, DROP COLUMN probes,
  DROP COLUMN ramp;
