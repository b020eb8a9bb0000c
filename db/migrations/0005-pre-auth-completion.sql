-- Up Migration

-- `authorize`: where the customer only approves a hold, a call of ours reserves its money.
ALTER TABLE channel_calls DROP CONSTRAINT channel_calls_operation_check;
ALTER TABLE channel_calls ADD CONSTRAINT channel_calls_operation_check
  CHECK (operation IN ('create', 'authorize', 'capture', 'cancel', 'refund'));

-- Down Migration
ALTER TABLE channel_calls DROP CONSTRAINT channel_calls_operation_check;
ALTER TABLE channel_calls ADD CONSTRAINT channel_calls_operation_check
  CHECK (operation IN ('create', 'capture', 'cancel', 'refund'));
