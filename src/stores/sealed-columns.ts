/** Every column that holds sealed text, with the purpose it is sealed for and the key of its rows. */
import { CREDENTIALS_PURPOSE } from './channel-accounts';
import { EVENT_BODY_PURPOSE } from './channel-events';
import { ANSWER_PURPOSE } from './idempotency';
import { WEBHOOK_SECRET_PURPOSE } from './merchants';
import { PAYMENT_STEP_PURPOSE } from './payments';
import { CUSTOMER_STEP_PURPOSE } from './pre-auths';
import { REFUND_CLAIM_PURPOSE } from './refunds';
import { SIGNING_SECRET_PURPOSE } from './request-signing';
import { ENDPOINT_SECRET_PURPOSE } from './webhook-endpoints';

export interface SealedColumn {
  readonly table: string;
  readonly column: string;
  readonly purpose: string;
  /** Columns of the primary key, in its order, with their types. */
  readonly key: readonly (readonly [column: string, type: 'uuid' | 'bigint' | 'text'])[];
}

const ID = [['id', 'uuid']] as const;
const numbered = (column: string) =>
  [
    ['merchant_id', 'uuid'],
    [column, 'text'],
  ] as const;

/** What tests compare with the schema, and `npm run keys:rotate` with the database. Small tables first. */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  { table: 'channel_accounts', column: 'credentials_sealed', purpose: CREDENTIALS_PURPOSE, key: ID },
  { table: 'merchants', column: 'webhook_secret_sealed', purpose: WEBHOOK_SECRET_PURPOSE, key: ID },
  { table: 'merchants', column: 'previous_webhook_secret_sealed', purpose: WEBHOOK_SECRET_PURPOSE, key: ID },
  { table: 'merchants', column: 'signing_secret_sealed', purpose: SIGNING_SECRET_PURPOSE, key: ID },
  { table: 'merchants', column: 'previous_signing_secret_sealed', purpose: SIGNING_SECRET_PURPOSE, key: ID },
  { table: 'webhook_endpoints', column: 'secret_sealed', purpose: ENDPOINT_SECRET_PURPOSE, key: ID },
  { table: 'webhook_endpoints', column: 'previous_secret_sealed', purpose: ENDPOINT_SECRET_PURPOSE, key: ID },
  {
    ...{ table: 'refunds', column: 'claim_sealed', purpose: REFUND_CLAIM_PURPOSE },
    key: numbered('refund_no'),
  },
  {
    ...{ table: 'payments', column: 'customer_step_sealed', purpose: PAYMENT_STEP_PURPOSE },
    key: numbered('payment_no'),
  },
  {
    ...{ table: 'pre_auths', column: 'customer_step_sealed', purpose: CUSTOMER_STEP_PURPOSE },
    key: numbered('pre_auth_no'),
  },
  {
    ...{ table: 'idempotency_records', column: 'response_sealed', key: ID },
    purpose: ANSWER_PURPOSE,
  },
  {
    ...{ table: 'channel_events', column: 'body_sealed', purpose: EVENT_BODY_PURPOSE },
    key: [['id', 'bigint']],
  },
];
