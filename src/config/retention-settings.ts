/** How long what is kept; what is not here is kept for good (docs/decisions/0012-erasure-and-retention.md). */
import { z } from 'zod';

/** An event that matches nothing yet is tried for three days. */
const EVENT_MIN_DAYS = 4;

export const retentionSettings = {
  RETENTION_INTERVAL: z.coerce
    .number()
    .positive()
    .default(3600)
    .describe('Seconds between two runs that delete what has been kept long enough'),
  INBOUND_EVENT_RETENTION_DAYS: z.coerce
    .number()
    .min(EVENT_MIN_DAYS)
    .max(3650)
    .default(30)
    .describe('Days that events of channels are kept, with their bodies'),
  WEBHOOK_FAILED_RETENTION_DAYS: z.coerce
    .number()
    .positive()
    .max(3650)
    .default(180)
    .describe('Days that notifications are kept after they were given up'),
};
