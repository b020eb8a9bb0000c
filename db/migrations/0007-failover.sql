-- Up Migration

-- What the sends of a call have shown. Another channel may be tried for a create only when it is certain that none of its
-- sends arrived: every one that was counted is known not to have (not_sent), and none may have (maybe_sent).
ALTER TABLE channel_calls
  ADD COLUMN not_sent    INT NOT NULL DEFAULT 0 CHECK (not_sent >= 0),
  ADD COLUMN maybe_sent  BOOLEAN NOT NULL DEFAULT false;

-- Money that arrived at a channel which the payment or hold had left: its number there, under which it is given back. NULL:
-- the object's own.
ALTER TABLE late_payments ADD COLUMN channel_no VARCHAR(255);

-- What stands, under its own number, at a channel that its payment or hold has left (or never had): found by news of it. It
-- should not be, so it is cancelled there. Written before the cancel is sent, under the key that stands here.
CREATE TABLE left_objects (
  channel_account_id  UUID NOT NULL REFERENCES channel_accounts (id),
  channel_no          VARCHAR(255) NOT NULL,
  channel_trade_no    VARCHAR(255),             -- of its money, which refunds and disputes may name
  merchant_id         UUID NOT NULL REFERENCES merchants (id),
  object_kind         TEXT NOT NULL CHECK (object_kind IN ('payment', 'pre_auth')),
  object_no           VARCHAR(64) NOT NULL,
  cancels             INT NOT NULL DEFAULT 0 CHECK (cancels >= 0), -- n of the latest cancel; of all that its object has left
  cancel_key          VARCHAR(255) UNIQUE,      -- of the cancel that is under way; NULL: none is
  cancelled_at        TIMESTAMPTZ,              -- when a read showed that the latest cancel has ended it
  needs_attention     VARCHAR(200),             -- why an operator was called to it; stays for whoever looks
  created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (channel_account_id, channel_no),
  CHECK (cancel_key IS NULL OR cancels > 0)
);
CREATE INDEX left_objects_object ON left_objects (merchant_id, object_kind, object_no);
CREATE INDEX left_objects_trade ON left_objects (channel_account_id, channel_trade_no) WHERE channel_trade_no IS NOT NULL;

-- Refunds of their money that were made by hand. They count against late money, not against the payment or hold.
CREATE TABLE left_refunds (
  channel_account_id  UUID NOT NULL,
  channel_refund_no   VARCHAR(255) NOT NULL,
  channel_no          VARCHAR(255) NOT NULL,
  currency            CHAR(3) NOT NULL,
  amount              BIGINT NOT NULL CHECK (amount > 0),
  status              TEXT NOT NULL CHECK (status IN ('pending', 'success', 'failed')),
  created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (channel_account_id, channel_refund_no),
  FOREIGN KEY (channel_account_id, channel_no) REFERENCES left_objects (channel_account_id, channel_no)
);
CREATE INDEX left_refunds_object ON left_refunds (channel_account_id, channel_no);

-- Of a dispute about such money: its number there. NULL: it is about the object's own.
ALTER TABLE disputes ADD COLUMN channel_no VARCHAR(255);

-- Down Migration
ALTER TABLE disputes DROP COLUMN channel_no;
DROP TABLE left_refunds;
DROP TABLE left_objects;
ALTER TABLE late_payments DROP COLUMN channel_no;
ALTER TABLE channel_calls DROP COLUMN not_sent, DROP COLUMN maybe_sent;
