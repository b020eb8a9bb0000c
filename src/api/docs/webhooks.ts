/** The `webhooks` of the document: every event, its body and the headers it comes with. */
import type { WebhookEvent } from '../../domain/webhook/events';

type Json = Readonly<Record<string, unknown>>;

interface EventDoc {
  readonly summary: string;
  readonly status: string;
  readonly amount?: number;
  readonly paymentNo?: string;
  /** What always stands in `extra` besides `sequence`, as in the example. */
  readonly extra: Json;
  /** What may be missing in `extra`. */
  readonly maybe?: Json;
}

const HOLD = { channel: 'stripe', channel_pre_auth_no: 'pi_3QkHoldfast' };
const PAYMENT = { channel: 'stripe', channel_payment_no: 'pi_3QkHoldfast' };
const REFUND = {
  channel: 'stripe',
  channel_refund_no: 're_3QkHoldfast',
  refund_no: 'RF20250124130000ijklmnop',
};
const LATE = {
  late_payment_id: '6b0f2a52-8c64-4c3e-9d56-2b6f8f5f2f0e',
  channel: 'crypto',
  channel_trade_no: 'V9kYbCzhSU4rQ1',
};
const DISPUTE = {
  dispute_id: '0d3c8a53-4c5e-4f6e-9a1b-5f7d2c9e8b10',
  channel: 'stripe',
  channel_dispute_no: 'dp_1QkHoldfast',
  reason: 'fraudulent',
};
const EVENT_ID = '0b6f2a8e-4d0c-5c2e-9b57-5d3c2f7f1e44';
const ENDPOINT_ID = '7b0c4a52-8a0e-4c4b-9a3e-0a5f0d1f6a11';
const NO_HOLD = 'PA20250124001';
const NO_PAYMENT = 'PY20250124123456abcdefgh';
const declined = { decline_code: 'insufficient_funds' };
/** The channel has a number for it only once it was taken. */
const without = (subject: Json): Json => ({ channel: subject['channel'] });

const EVENTS: Readonly<Record<WebhookEvent, EventDoc>> = {
  'payment.success': { summary: 'Paid', status: 'success', extra: { ...PAYMENT, amount_paid: 50000 } },
  'payment.failed': {
    ...{ summary: 'Ended without money', status: 'failed', extra: without(PAYMENT) },
    maybe: { channel_payment_no: PAYMENT.channel_payment_no, ...declined },
  },
  'payment.cancelled': {
    ...{ summary: 'Cancelled', status: 'cancelled', extra: without(PAYMENT) },
    maybe: { channel_payment_no: PAYMENT.channel_payment_no, ...declined },
  },
  'payment.expired': {
    ...{ summary: 'Nobody paid in time', status: 'expired', extra: without(PAYMENT) },
    maybe: { channel_payment_no: PAYMENT.channel_payment_no, ...declined },
  },
  'payment.late_paid': {
    ...{ summary: 'Paid after the end: do not ship', status: 'expired', extra: LATE },
    maybe: { refund_no: REFUND.refund_no },
  },
  'payment.partially_paid': {
    ...{ summary: 'Ended, and too little has arrived', status: 'expired', amount: 4000, extra: LATE },
    maybe: { refund_no: REFUND.refund_no },
  },
  'payment.overpaid': {
    ...{ summary: 'Paid, and more than was asked for', status: 'success', amount: 2500, extra: LATE },
    maybe: { refund_no: REFUND.refund_no },
  },
  'refund.success': { summary: 'The money has gone back', status: 'success', amount: 20000, extra: REFUND },
  'refund.failed': {
    ...{ summary: 'It has not gone back, or came back', status: 'failed', amount: 20000 },
    extra: { channel: 'stripe', refund_no: REFUND.refund_no },
    maybe: { channel_refund_no: REFUND.channel_refund_no, ...declined, after_success: true },
  },
  'pre_auth.authorized': {
    ...{ summary: 'The money is held', status: 'requires_capture', extra: HOLD, paymentNo: NO_HOLD },
  },
  'pre_auth.captured': {
    ...{ summary: 'All or a part of it was taken', status: 'succeeded', paymentNo: NO_HOLD },
    extra: { ...HOLD, amount_this_capture: 32000, amount_captured: 32000 },
    maybe: { amount_released: 18000 },
  },
  'pre_auth.capture_failed': {
    ...{ summary: 'A capture was refused; the hold stays', status: 'requires_capture', paymentNo: NO_HOLD },
    extra: { ...HOLD, decline_code: 'invalid_amount', amount_this_capture: 32000 },
  },
  'pre_auth.canceled': {
    ...{ summary: 'Released', status: 'canceled', paymentNo: NO_HOLD },
    extra: { ...without(HOLD), amount_released: 50000 },
    maybe: { channel_pre_auth_no: HOLD.channel_pre_auth_no },
  },
  'pre_auth.expiring': {
    ...{ summary: 'Soon to be released', status: 'requires_capture', paymentNo: NO_HOLD },
    extra: { ...HOLD, expires_at: 1737801600, amount_capturable: 50000 },
  },
  'pre_auth.expired': {
    ...{ summary: 'Released, for its time was over', status: 'expired', paymentNo: NO_HOLD },
    extra: { ...without(HOLD), amount_released: 50000 },
    maybe: { channel_pre_auth_no: HOLD.channel_pre_auth_no },
  },
  'pre_auth.failed': {
    ...{ summary: 'The hold was refused', status: 'failed', paymentNo: NO_HOLD },
    extra: { ...without(HOLD), ...declined },
  },
  'dispute.opened': {
    ...{ summary: 'The customer disputes it', status: 'success', amount: 30000 },
    extra: { ...DISPUTE, dispute_status: 'open' },
  },
  'dispute.closed': {
    ...{ summary: 'A dispute has ended: won or lost', status: 'success', amount: 30000 },
    extra: { ...DISPUTE, dispute_status: 'won' },
  },
  'rate_limit.warning': {
    ...{ summary: '80 % of the minute or hour limit are used', status: 'warning', paymentNo: EVENT_ID },
    extra: { window: 'minute', limit: 2500, used_percent: 80, tier: 'business' },
  },
  'webhook.test': {
    ...{ summary: 'You asked for it', status: 'test', paymentNo: EVENT_ID },
    extra: { endpoint_id: ENDPOINT_ID },
  },
  'webhook.endpoint_disabled': {
    ...{ summary: 'Another endpoint of yours was switched off', status: 'disabled', paymentNo: EVENT_ID },
    extra: { endpoint_id: ENDPOINT_ID, reason: 'GONE' },
  },
};

export const WEBHOOK_BODY = {
  ...{
    type: 'object',
    description: 'What every event has in common; verify the raw bytes before you parse them',
  },
  required: ['event', 'payment_no', 'order_no', 'amount', 'currency', 'status', 'timestamp', 'extra'],
  properties: {
    event: { type: 'string' },
    payment_no: {
      ...{ type: 'string', description: "The object's number; without an object the event's id" },
    },
    order_no: { type: 'string', description: 'Empty without an object' },
    amount: { type: 'integer', description: 'Minor units' },
    currency: { type: 'string' },
    status: { type: 'string', description: "The object's status right after the change" },
    timestamp: { type: 'integer', description: 'Unix seconds of the change' },
    extra: {
      ...{ type: 'object', required: ['sequence'], additionalProperties: true },
      properties: {
        sequence: {
          ...{ type: 'integer', minimum: 1 },
          description: 'Counts the events of one object; the order of arrival is not promised',
        },
      },
    },
  },
} as const;

const header = (name: string, description: string, example: string) => ({
  ...{ name, in: 'header', required: true, description, schema: { type: 'string' }, example },
});

/** The headers of every delivery, by the name under which they are components. */
export const WEBHOOK_HEADERS = {
  'webhook-id': header('webhook-id', "The event's id: handle each once", EVENT_ID),
  'webhook-timestamp': header('webhook-timestamp', 'Unix seconds of this attempt', '1737720001'),
  'webhook-signature': header(
    'webhook-signature',
    '`v1,` and the base64 HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}`; two of them while a secret is changed',
    'v1,WvkNTFpdfjpVnSV84SM0YYpeuDZgXIASFe9ZQxfUqxQ=',
  ),
  'X-Webhook-Signature': header(
    'X-Webhook-Signature',
    'Hex HMAC-SHA256 of the body alone',
    '8e9069032a7d9171732beeba2078040c40d378629e756caa20af32fb7bf520fa',
  ),
  'X-Webhook-Event': header('X-Webhook-Event', 'The event', 'pre_auth.captured'),
  'X-Webhook-Timestamp': header('X-Webhook-Timestamp', 'As webhook-timestamp', '1737720001'),
  'X-Webhook-Attempt': header('X-Webhook-Attempt', 'Counts the attempts, from 1', '1'),
} as const;

const ANSWERS = {
  '2XX': { description: 'Delivered' },
  '410': { description: 'Final, and the endpoint is switched off' },
  '4XX': { description: 'Final; but 408 and 429 are tried again' },
  '5XX': { description: 'Tried again' },
};

export function webhookDocs(): Record<string, unknown> {
  const events = Object.entries(EVENTS) as [WebhookEvent, EventDoc][];
  return Object.fromEntries(events.map(([event, doc]) => [event, { post: operationOf(event, doc) }]));
}

function operationOf(event: WebhookEvent, doc: EventDoc): Json {
  const words = event.split(/[._]/).map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return {
    operationId: `on${words.join('')}`,
    summary: doc.summary,
    parameters: Object.keys(WEBHOOK_HEADERS).map((name) => ({ $ref: `#/components/parameters/${name}` })),
    requestBody: {
      required: true,
      content: { 'application/json': { schema: schemaOf(event, doc), example: exampleOf(event, doc) } },
    },
    responses: ANSWERS,
  };
}

function schemaOf(event: WebhookEvent, { extra, maybe = {} }: EventDoc): Json {
  const fields = Object.entries({ ...extra, ...maybe }).map(([name, value]) => [name, typeOf(value)]);
  return {
    allOf: [
      { $ref: '#/components/schemas/WebhookBody' },
      {
        type: 'object',
        properties: {
          event: { const: event },
          extra: {
            type: 'object',
            required: Object.keys(extra),
            properties: Object.fromEntries(fields) as Json,
          },
        },
      },
    ],
  };
}

function typeOf(value: unknown): Json {
  return { type: typeof value === 'number' ? 'integer' : typeof value };
}

function exampleOf(event: WebhookEvent, doc: EventDoc): Json {
  const { amount = 50000, paymentNo = NO_PAYMENT, status, extra, maybe = {} } = doc;
  const isOfAnObject = paymentNo !== EVENT_ID;
  return {
    ...{ event, payment_no: paymentNo, order_no: isOfAnObject ? 'ORDER-001' : '' },
    ...{ amount: isOfAnObject ? amount : 0, currency: isOfAnObject ? 'USD' : '' },
    ...{ status, timestamp: 1737720000, extra: { ...extra, ...maybe, sequence: isOfAnObject ? 2 : 1 } },
  };
}
