-- Up Migration

-- The admin's requests take an Idempotency-Key too: merchant_id is the caller, and the nil UUID is the admin.
ALTER TABLE idempotency_records DROP CONSTRAINT idempotency_records_merchant_id_fkey;

-- Down Migration
DELETE FROM idempotency_records WHERE merchant_id = '00000000-0000-0000-0000-000000000000';
ALTER TABLE idempotency_records ADD CONSTRAINT idempotency_records_merchant_id_fkey
  FOREIGN KEY (merchant_id) REFERENCES merchants (id);
