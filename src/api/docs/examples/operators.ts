/** What operators ask with their keys, reports, channels' events, and the state of the process. */
import { DECISION_EXAMPLE } from '../../routing/decision-view';
import { pageOf } from './types';
import type { ExamplesByRoute } from './types';

const AT = '2025-01-24T12:00:00.000Z';
const MERCHANT_ID = '3f1f2b64-6f0e-4b8e-9a58-5d7f0c1e2a33';
const ACCOUNT_ID = '9d2c7a10-1b5e-4a5c-8f0d-6e3b2a1c4d55';
const ID = '7b0c4a52-8a0e-4c4b-9a3e-0a5f0d1f6a11';

const merchantOf = (world: 'live' | 'test') => ({
  ...{ id: world === 'live' ? MERCHANT_ID : ID, account_id: ACCOUNT_ID, world },
  ...{ name: 'Grand Hotel', tier: 'business', status: 'active', created_at: AT },
});
const KEY = { id: ID, name: 'shop server', display: 'hf_live_9aBc', created_at: AT, revoked_at: null };
const CHANNEL_ACCOUNT = {
  ...{ id: ACCOUNT_ID, channel: 'stripe', world: 'live', merchant_id: null, name: 'Platform' },
  ...{ contract: { multipleCaptures: true }, enabled: true, switched_off_at: null, created_at: AT },
};

const MERCHANTS: ExamplesByRoute = {
  'post /api/v1/admin/merchants': {
    request: { name: 'Grand Hotel' },
    responses: {
      201: {
        account_id: ACCOUNT_ID,
        name: 'Grand Hotel',
        merchants: { live: merchantOf('live'), test: merchantOf('test') },
        webhook_secrets: { live: 'whsec_C2FVsBQIhrscChlQIMV', test: 'whsec_b5sSYspob7oDazGb9cyZ8yU' },
      },
    },
  },
  'get /api/v1/admin/merchants': { responses: { 200: pageOf(merchantOf('live')) } },
  'get /api/v1/admin/merchants/{merchant_id}': { responses: { 200: merchantOf('live') } },
  'post /api/v1/admin/merchants/{merchant_id}/api-keys': {
    request: { name: 'shop server' },
    responses: { 201: { ...KEY, key: 'hf_live_9aBcDeFgHiJkLmNoPqRsTuVwXyZ012345678901234' } },
  },
  'get /api/v1/admin/merchants/{merchant_id}/api-keys': { responses: { 200: pageOf(KEY) } },
  'delete /api/v1/admin/merchants/{merchant_id}/api-keys/{key_id}': {
    responses: { 200: { ...KEY, revoked_at: AT } },
  },
  'post /api/v1/admin/channel-accounts': {
    request: {
      ...{ channel: 'stripe', world: 'live', name: 'Platform' },
      credentials: { secret_key: 'sk_live_...', webhook_secret: 'whsec_...' },
      contract: { multipleCaptures: true },
    },
    responses: { 201: CHANNEL_ACCOUNT },
  },
  'get /api/v1/admin/channel-accounts': { responses: { 200: pageOf(CHANNEL_ACCOUNT) } },
  'put /api/v1/admin/merchants/{merchant_id}/status': {
    request: { status: 'suspended' },
    responses: { 200: { ...merchantOf('live'), status: 'suspended' } },
  },
  'put /api/v1/admin/channel-accounts/{account_id}/switch': {
    request: { on: false },
    responses: { 200: { ...CHANNEL_ACCOUNT, switched_off_at: AT } },
  },
};

const ADMIN_KEY = {
  ...{ id: ID, name: 'ann', role: 'operator', display: 'hf_admin_9aBc', created_by: 'root' },
  ...{ created_at: AT, revoked_at: null, revoked_by: null },
};
const AUDITED = {
  ...{ id: 42, via: 'api', actor: 'ann', key_id: ID, role: 'operator', request_id: ID },
  ...{ action: 'post /api/v1/admin/merchants/{merchant_id}/unblock', entity: 'merchant' },
  ...{ entity_id: MERCHANT_ID, params: { merchant_id: MERCHANT_ID }, before: null, after: null },
  ...{ status: 200, code: 'SUCCESS', created_at: AT },
};

const OPERATORS: ExamplesByRoute = {
  'post /api/v1/admin/keys': {
    request: { name: 'ann', role: 'operator' },
    responses: { 201: { ...ADMIN_KEY, key: 'hf_admin_9aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789012' } },
  },
  'get /api/v1/admin/keys': { responses: { 200: pageOf(ADMIN_KEY) } },
  'delete /api/v1/admin/keys/{key_id}': {
    responses: { 200: { ...ADMIN_KEY, revoked_at: AT, revoked_by: 'root' } },
  },
  'get /api/v1/admin/audit': { responses: { 200: pageOf(AUDITED) } },
};

const LIMITS: ExamplesByRoute = {
  'put /api/v1/admin/tiers/{name}': {
    request: { per_second: 50, per_minute: 2500, per_hour: 50000, burst: 100, concurrency: 50 },
  },
  'patch /api/v1/admin/merchants/{merchant_id}': { request: { tier: 'business' } },
  'put /api/v1/admin/merchants/{merchant_id}/limits': {
    request: { tier: 'business', overrides: { per_hour: 80000 } },
  },
  'post /api/v1/admin/merchants/{merchant_id}/erase-customer': {
    request: { customer_email: 'guest@example.com' },
  },
  'put /api/v1/request-signing': { request: { mode: 'required' } },
  'post /api/v1/request-signing/rotate': { request: { overlap_hours: 24 } },
};

const SETTINGS = {
  ...{ enabled: true, automatic: true, currencies: ['USD', 'EUR'] },
  ...{ amounts: { USD: { min: 50 } }, weight: 100, pre_auth: true, multiple_captures: false },
  home: { US: 90, EEA: 70 },
};
const CHANNEL = { channel: 'stripe', source: 'database', settings: SETTINGS, version: 12, updated_at: AT };
const changed = { version: 12, created_at: AT, updated_at: AT };
const NEW_FEE = { channel: 'stripe', currency: 'USD', basis_points: 290, fixed_minor: 30 };
const FEE = { id: ID, ...NEW_FEE, account_id: null, country: null, ...changed };
const NEW_RULE = { order: 10, currency: 'USD', country: 'EEA', min_amount: 100000, channel: 'paypal' };
const RULE = {
  ...{ id: ID, ...NEW_RULE, enabled: true, merchant_id: null, max_amount: null, weight: 100 },
  ...changed,
};
const MERCHANT_ROUTING = {
  ...{ merchant_id: MERCHANT_ID, mode: 'cost', smart: null, version: 12, updated_at: AT },
};
const PATH = '/api/v1/admin/routing';

const ROUTING: ExamplesByRoute = {
  'post /api/v1/routing/quote': {
    request: { amount: 10000, currency: 'USD', country: 'DE', mode: 'cost' },
    responses: { 200: DECISION_EXAMPLE },
  },
  [`get ${PATH}/channels`]: { responses: { 200: { items: [CHANNEL] } } },
  [`get ${PATH}/channels/{channel}`]: { responses: { 200: CHANNEL } },
  [`put ${PATH}/channels/{channel}`]: {
    request: { settings: SETTINGS, version: 11 },
    responses: { 200: CHANNEL },
  },
  [`delete ${PATH}/channels/{channel}`]: {
    responses: { 200: { ...CHANNEL, source: 'built_in', version: 0, updated_at: null } },
  },
  [`get ${PATH}/fees`]: { responses: { 200: pageOf(FEE) } },
  [`post ${PATH}/fees`]: { request: NEW_FEE, responses: { 201: FEE } },
  [`put ${PATH}/fees/{fee_id}`]: { request: { ...NEW_FEE, version: 11 }, responses: { 200: FEE } },
  [`delete ${PATH}/fees/{fee_id}`]: { responses: { 200: FEE } },
  [`get ${PATH}/rules`]: { responses: { 200: { items: [RULE] } } },
  [`post ${PATH}/rules`]: { request: NEW_RULE, responses: { 201: RULE } },
  [`put ${PATH}/rules/{rule_id}`]: { request: { ...NEW_RULE, version: 11 }, responses: { 200: RULE } },
  [`delete ${PATH}/rules/{rule_id}`]: { responses: { 200: RULE } },
  [`get ${PATH}/merchants/{merchant_id}`]: { responses: { 200: MERCHANT_ROUTING } },
  [`put ${PATH}/merchants/{merchant_id}`]: {
    request: { mode: 'cost' },
    responses: { 200: MERCHANT_ROUTING },
  },
  [`delete ${PATH}/merchants/{merchant_id}`]: {
    responses: { 200: { ...MERCHANT_ROUTING, mode: null, version: 0, updated_at: null } },
  },
  [`get ${PATH}/audit`]: {
    responses: {
      200: pageOf({
        ...{ id: 7, version: 12, actor: 'ann', request_id: ID, action: 'replace', entity: 'fee' },
        ...{ entity_id: ID, before: { basis_points: 300 }, after: { basis_points: 290 }, created_at: AT },
      }),
    },
  },
};

const FEES = {
  ...{ world: 'live', currency: 'USD', payments: 10000, explicit: 0, amount: 100000000 },
  ...{ fees: 1520000, default_fees: 3200000, saved: 1680000 },
};
const SETTLED = {
  ...{ merchant_id: MERCHANT_ID, channel: 'stripe', channel_account_id: ACCOUNT_ID, currency: 'USD' },
  ...{ captures: { count: 2, amount: 82000 }, late: { count: 0, amount: 0 } },
  ...{ refunds: { count: 1, amount: 20000 }, disputes_lost: { count: 0, amount: 0 } },
  ...{ fees: 2438, net: 59562 },
};
const SETTLED_TOTAL = {
  ...{ currency: 'USD', captured: 82000, late_received: 0, refunded: 20000, disputes_lost: 0 },
  ...{ fees: 2438, net: 59562 },
};
const SETTLED_CSV = [
  'date,merchant_id,channel,channel_account_id,currency,captures_count,captures_amount,late_count,late_amount,' +
    'refunds_count,refunds_amount,disputes_lost_count,disputes_lost_amount,fees,net',
  `2025-01-24,${MERCHANT_ID},stripe,${ACCOUNT_ID},USD,2,82000,0,0,1,20000,0,0,2438,59562`,
];
const DISCREPANCY = {
  ...{ id: ID, merchant_id: MERCHANT_ID, object_kind: 'pre_auth', object_no: 'PA20250124001' },
  ...{ channel: 'stripe', field: 'amount_captured', ours: '32000', theirs: '30000', state: 'open' },
  ...{ first_seen: AT, last_seen: AT, resolved_at: null, resolved_by: null },
};
/** @param names the columns that only operators have, and what stands in them */
const settlementOf = (row: object, ...names: readonly string[]) => ({
  responses: {
    200: { date: '2025-01-24', is_complete: true, items: [row], totals: [SETTLED_TOTAL] },
  },
  also: {
    'text/csv':
      SETTLED_CSV.map((line, at) => [line, ...names.slice(2 * at, 2 * at + 2)].join(',')).join('\r\n') +
      '\r\n',
  },
});

const REPORTS: ExamplesByRoute = {
  'get /api/v1/admin/reports/fees': {
    responses: {
      200: {
        ...{ from: '2025-01', to: '2025-01', default_channel: 'stripe' },
        items: [{ month: '2025-01', merchant_id: MERCHANT_ID, merchant_name: 'Grand Hotel', ...FEES }],
        totals: [FEES],
      },
    },
  },
  'get /api/v1/settlement': settlementOf(SETTLED),
  'get /api/v1/admin/settlement': settlementOf(
    { ...SETTLED, merchant_name: 'Grand Hotel', account_name: 'Platform' },
    ...['merchant_name', 'account_name', 'Grand Hotel', 'Platform'],
  ),
  'get /api/v1/admin/discrepancies': { responses: { 200: pageOf(DISCREPANCY) } },
  'post /api/v1/admin/discrepancies/{id}/resolve': {
    request: { by: 'ann', reason: 'captured by hand in the dashboard' },
    responses: { 200: { ...DISCREPANCY, state: 'resolved', resolved_at: AT, resolved_by: 'ann' } },
  },
};

const checks = { postgres: 'up', temporal: 'up', redis: 'up' };

const PROCESS: ExamplesByRoute = {
  'post /api/v1/channels/{channel}/{account}/events': {
    request: '{"id":"evt_1QkHoldfast","type":"payment_intent.succeeded"}',
    responses: { 200: { received: true } },
    also: { 'text/plain': 'success' },
  },
  'get /healthz': { responses: { 200: { status: 'ok' } } },
  'get /readyz': {
    responses: {
      200: { status: 'degraded', degraded: ['redis'], checks: { ...checks, redis: 'down' } },
      503: { status: 'unavailable', degraded: ['postgres'], checks: { ...checks, postgres: 'down' } },
    },
  },
};

export const OPERATOR_EXAMPLES: ExamplesByRoute = {
  ...MERCHANTS,
  ...OPERATORS,
  ...LIMITS,
  ...ROUTING,
  ...REPORTS,
  ...PROCESS,
};
