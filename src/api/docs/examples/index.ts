/** What is asked of each route and what comes, as it would really be; test/api/openapi-examples.test.ts checks every one. */
import { MONEY_EXAMPLES } from './money';
import { OPERATOR_EXAMPLES } from './operators';
import type { ExamplesByRoute } from './types';
import { WEBHOOK_EXAMPLES } from './webhooks';

export const EXAMPLES: ExamplesByRoute = { ...MONEY_EXAMPLES, ...WEBHOOK_EXAMPLES, ...OPERATOR_EXAMPLES };

const UUID = '7b0c4a52-8a0e-4c4b-9a3e-0a5f0d1f6a11';

/** Of parameters that an address or a query must have, by name. */
export const PARAMETER_EXAMPLES: Readonly<Record<string, unknown>> = {
  ...{
    id: UUID,
    account: UUID,
    key_id: UUID,
    fee_id: UUID,
    rule_id: UUID,
    merchant_id: UUID,
    account_id: UUID,
  },
  late_payment_id: '6b0f2a52-8c64-4c3e-9d56-2b6f8f5f2f0e',
  channel: 'stripe',
  name: 'business',
  channel_pre_auth_no: 'pi_3QkHoldfast',
  pre_auth_no: 'PA20250124001',
  payment_no: 'PY20250124123456abcdefgh',
  refund_no: 'RF20250124123456abcdefgh',
  date: '2025-01-24',
  from: '2025-01',
  to: '2025-01',
};
