-- Up Migration

-- The body of an event may be gone before its row: erased with its customer. NULL: it is.
ALTER TABLE channel_events ALTER COLUMN body_sealed DROP NOT NULL;

-- What there is of one object, to erase its bodies.
CREATE INDEX IF NOT EXISTS channel_events_object ON channel_events (channel_account_id, object_id) WHERE object_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS channel_events_holdfast ON channel_events (holdfast_id) WHERE holdfast_id IS NOT NULL;

-- What there is of one customer. What is erased leaves the index, so that it holds what is left to do.
CREATE INDEX IF NOT EXISTS payments_customer ON payments (merchant_id, lower(customer_email)) WHERE customer_email IS NOT NULL;
CREATE INDEX IF NOT EXISTS pre_auths_customer ON pre_auths (merchant_id, lower(customer_email)) WHERE customer_email IS NOT NULL;

-- Down Migration
DROP INDEX pre_auths_customer, payments_customer, channel_events_holdfast, channel_events_object;
UPDATE channel_events SET body_sealed = '' WHERE body_sealed IS NULL;
ALTER TABLE channel_events ALTER COLUMN body_sealed SET NOT NULL;
