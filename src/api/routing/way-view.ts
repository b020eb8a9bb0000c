/** The way of a payment or hold to its channel: what was decided, and where it was tried. */
import { z } from 'zod';
import { CHANNELS } from '../../domain/channel';
import type { RefundedRef } from '../../domain/refund';
import type { Queryable } from '../../stores/postgres';
import { readWay } from '../../stores/way';
import type { StoredWay } from '../../stores/way';
import { decisionView, showDecision } from './decision-view';

const attemptView = z.object({
  channel: z.enum(CHANNELS),
  outcome: z.enum(['pending', 'accepted', 'declined', 'not_executed']),
  code: z.string().nullable().describe('Why it came to nothing'),
  at: z.number().int().describe('Unix seconds'),
});

/** Fields of a payment or hold that is shown alone. */
export const wayFields = {
  routing: decisionView.optional().describe('Why this channel was chosen'),
  attempts: z
    .array(attemptView)
    .optional()
    .describe(
      'The channels that were tried, in order: another one follows a channel that certainly did nothing',
    ),
};

export interface Way {
  readonly routing?: z.infer<typeof decisionView>;
  readonly attempts?: z.infer<typeof attemptView>[];
}

export async function readShownWay(q: Queryable, object: RefundedRef): Promise<Way> {
  return showWay(await readWay(q, object));
}

export function showWay({ decision, attempts }: StoredWay): Way {
  return {
    ...(decision !== undefined && { routing: showDecision(decision) }),
    attempts: attempts.map(({ at, ...one }) => ({ ...one, at: Math.floor(at.getTime() / 1000) })),
  };
}
