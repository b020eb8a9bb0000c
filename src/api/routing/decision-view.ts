/** How a decision looks to its merchant: which channel, why, and what the others would have cost. */
import { z } from 'zod';
import {
  COUNTRY_SOURCES,
  EXCLUSION_CODES,
  ROUTING_LEVELS,
  ROUTING_MODES,
  STRATEGIES,
} from '../../domain/routing/types';
import type { RoutingCandidate, RoutingDecision } from '../../domain/routing/types';

const strategy = z.enum(STRATEGIES);

const candidateView = z.object({
  channel: z.string(),
  eligible: z.boolean(),
  excluded: z.object({ code: z.enum(EXCLUSION_CODES), reason: z.string() }).optional(),
  scores: z
    .partialRecord(strategy, z.number().optional())
    .optional()
    .describe('What each strategy says: the higher the better, but for `cost`'),
  fee: z
    .number()
    .int()
    .optional()
    .describe('Estimate for the whole amount, minor units; absent: no price is known'),
  fault_rate: z.number().optional().describe('Share of recent calls that the channel failed'),
});

export const decisionView = z.object({
  channel: z.string(),
  level: z.enum(ROUTING_LEVELS).describe('Who decided: the request, smart routing, a rule, the default'),
  reason: z.string(),
  decided_by: strategy.optional().describe('The strategy that made the difference'),
  rule_id: z.string().optional(),
  mode: z.enum(ROUTING_MODES).optional(),
  country: z.object({ code: z.string(), source: z.enum(COUNTRY_SOURCES) }).optional(),
  candidates: z.array(candidateView).optional(),
  skipped: z.array(z.object({ level: z.enum(ROUTING_LEVELS), reason: z.string() })).optional(),
  ranked: z.array(z.string()).optional().describe('Where it may go, the best first'),
  explored: z.literal(true).optional().describe('Tried on purpose, to keep its success rate fresh'),
  probe: z.literal(true).optional().describe('Tries whether a channel that is out of service is back'),
  all_out: z.literal(true).optional().describe('Every channel is out of service: the best is used'),
  config: z
    .object({ source: z.enum(['memory', 'redis', 'database', 'built_in']), version: z.number().int() })
    .optional()
    .describe('The configuration it was decided by'),
});
type DecisionView = z.infer<typeof decisionView>;
type CandidateView = z.infer<typeof candidateView>;

/**
 * What was stored before smart routing has a channel, a level and a reason alone.
 * Field by field and not by spreading, which took a tenth of a quote's time.
 */
export function showDecision(
  decision: Pick<RoutingDecision, 'channel' | 'level' | 'reason'> & Partial<RoutingDecision>,
): DecisionView {
  const { channel, level, reason } = decision;
  const { decidedBy, ruleId, mode, country, candidates, skipped, ranked, config } = decision;
  const view: DecisionView = { channel, level, reason };
  if (decidedBy !== undefined) view.decided_by = decidedBy;
  if (ruleId !== undefined) view.rule_id = ruleId;
  if (mode !== undefined) view.mode = mode;
  if (country !== undefined) view.country = country;
  if (candidates !== undefined) view.candidates = candidates.map(showCandidate);
  if (skipped !== undefined) view.skipped = [...skipped];
  if (ranked !== undefined) view.ranked = [...ranked];
  if (decision.explored === true) view.explored = true;
  if (decision.probe === true) view.probe = true;
  if (decision.allOut === true) view.all_out = true;
  if (config !== undefined) view.config = config;
  return view;
}

function showCandidate(candidate: RoutingCandidate): CandidateView {
  const { excluded, scores, feeMinor, faultRate } = candidate;
  const view: CandidateView = { channel: candidate.channel, eligible: candidate.eligible };
  if (excluded !== undefined) view.excluded = excluded;
  if (scores !== undefined) view.scores = scores;
  if (feeMinor !== undefined) view.fee = feeMinor;
  if (faultRate !== undefined) view.fault_rate = faultRate;
  return view;
}

export const DECISION_EXAMPLE: DecisionView = {
  channel: 'alipay',
  level: 'smart',
  reason: 'alipay charges least: 0.60 USD',
  decided_by: 'cost',
  mode: 'cost',
  candidates: [
    { channel: 'alipay', eligible: true, scores: { cost: 60 }, fee: 60 },
    {
      ...{ channel: 'crypto', eligible: false },
      excluded: { code: 'not_automatic', reason: 'crypto is used only when the request or a rule names it' },
    },
    { channel: 'stripe', eligible: true, scores: { cost: 320 }, fee: 320 },
  ],
  skipped: [],
  ranked: ['alipay', 'stripe'],
  config: { source: 'redis', version: 12 },
};
