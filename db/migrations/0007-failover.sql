-- Up Migration

-- What the sends of a call have shown. Another channel may be tried for a create only when it is certain that none of its
-- sends arrived: every one that was counted is known not to have (not_sent), and none may have (maybe_sent).
ALTER TABLE channel_calls
  ADD COLUMN not_sent    INT NOT NULL DEFAULT 0 CHECK (not_sent >= 0),
  ADD COLUMN maybe_sent  BOOLEAN NOT NULL DEFAULT false;

-- Money that arrived at a channel which the payment or hold had left: its number there, under which it is given back. NULL:
-- the object's own.
ALTER TABLE late_payments ADD COLUMN channel_no VARCHAR(255);

-- Down Migration
ALTER TABLE late_payments DROP COLUMN channel_no;
ALTER TABLE channel_calls DROP COLUMN not_sent, DROP COLUMN maybe_sent;
