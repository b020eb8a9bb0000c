/** Events from the sandbox: signed with its certificate, repeated until acknowledged, and read by the adapter. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { DEFAULT_WEBHOOK_ID, startPayPalSandbox } from '../../dev/paypal-sandbox/server';
import { createPayPalAdapter } from '../../src/channels/paypal/adapter';
import { ChannelFault, InvalidEventSignature } from '../../src/domain/channel';
import { identities, paypalAccount, startPayPalBench } from './paypal-harness';
import type { PayPalBench } from './paypal-harness';
import { until } from './sandbox-control';

const exchange = { timeoutMs: 5_000 };

interface Delivery {
  readonly body: Buffer;
  readonly headers: Record<string, string>;
}

let bench: PayPalBench;
let receiver: http.Server;
let received: Delivery[] = [];
let answers: number[] = [];

beforeAll(async () => {
  bench = await startPayPalBench();
  receiver = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ body: Buffer.concat(chunks), headers: request.headers as Record<string, string> });
      response.writeHead(answers.shift() ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
});
beforeEach(async () => {
  await bench.control.post('reset');
  received = [];
  answers = [];
  const { port } = receiver.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/events`;
  await bench.control.post('webhook-endpoint', { url, webhook_id: DEFAULT_WEBHOOK_ID });
});
afterAll(async () => {
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  await bench.stop();
});

const parse = ({ body, headers }: Delivery) => bench.adapter.parseInboundEvent(body, headers);
const typeOf = ({ body }: Delivery) =>
  (JSON.parse(body.toString('utf8')) as { event_type: string }).event_type;
const count = (number: number) =>
  until(
    () => received.length,
    (length) => length >= number,
  );

/** A payment that was paid and refunded in part: four events. */
async function flow() {
  const call = identities('payment');
  const request = {
    paymentNo: 'PY1',
    orderNo: 'O1',
    amount: 50_000,
    currency: 'USD',
    expiresAtUnixSeconds: 2e9,
  };
  const { answer } = await bench.adapter.createPayment(request, call('create/1'), exchange);
  if (answer.kind === 'declined') throw new Error(answer.providerCode);
  const id = answer.snapshot.channelPaymentNo;
  await bench.control.post(`orders/${id}/approve`);
  const done = await bench.adapter.completePayment(id, call('complete/1'), exchange);
  if (done.kind === 'declined') throw new Error(done.providerCode);
  const target = { kind: 'payment' as const, channelNo: id, currency: 'USD', amount: 50_000 };
  const refundCall = identities('refund')('refund/1');
  const refund = { refundNo: 'RF1', target, amount: 10_000, currency: 'USD' };
  await bench.adapter.createRefund(refund, refundCall, exchange);
  return { id, capture: done.snapshot.channelTradeNo, holdfastId: call('').holdfastId, refundCall };
}

const FLOW = [
  'CHECKOUT.ORDER.APPROVED',
  'CHECKOUT.ORDER.COMPLETED',
  'PAYMENT.CAPTURE.COMPLETED',
  'PAYMENT.CAPTURE.REFUNDED',
];

test('every event is verified, and names its order and whose it is', async () => {
  const { id, capture, holdfastId, refundCall } = await flow();
  await count(FLOW.length);
  expect(received.map(typeOf).sort()).toEqual(FLOW);
  for (const delivery of received) {
    const event = await parse(delivery);
    const isRefund = event.type === 'PAYMENT.CAPTURE.REFUNDED';
    expect(event).toMatchObject({
      subject: isRefund ? 'refund' : 'payment',
      objectId: isRefund ? capture : id,
      holdfastId: isRefund ? refundCall.holdfastId : holdfastId,
    });
  }
});

test('a dispute names the capture it is about', async () => {
  const { capture = '' } = await flow();
  await bench.control.post(`captures/${capture}/dispute`);
  await count(FLOW.length + 1);
  const dispute = received.find((delivery) => typeOf(delivery) === 'CUSTOMER.DISPUTE.CREATED');
  expect(await parse(dispute as Delivery)).toMatchObject({ subject: 'dispute', objectId: capture });
});

test('an event that is not acknowledged comes again, with the same id', async () => {
  answers = [500];
  const { id } = await flow();
  expect(id).toMatch(/.+/);
  await count(FLOW.length + 1);
  const ids = await Promise.all(received.map(async (delivery) => (await parse(delivery)).eventId));
  expect(new Set(ids).size).toBe(FLOW.length);
});

test('what was changed, forged, unsigned, or meant for another webhook is refused', async () => {
  await flow();
  await count(FLOW.length);
  const good = received[0] as Delivery;
  await expect(parse(good)).resolves.toMatchObject({ type: typeOf(good) });
  const text = good.body.toString('utf8');
  const stranger = await startPayPalSandbox();
  const forged = stranger.signEvent(text, DEFAULT_WEBHOOK_ID, Date.now());
  const url = good.headers['paypal-cert-url'] ?? '';
  const now = Date.now();
  const bad: Record<string, Delivery> = {
    changed: { ...good, body: Buffer.from(text.replace('USD', 'EUR')) },
    'another key, our address': { body: good.body, headers: { ...forged, 'paypal-cert-url': url } },
    'another address': { body: good.body, headers: forged },
    unsigned: { body: good.body, headers: {} },
    empty: { body: Buffer.alloc(0), headers: good.headers },
    'another webhook': { body: good.body, headers: bench.sandbox.signEvent(text, 'ANOTHER', now) },
    'five days old': {
      body: good.body,
      headers: bench.sandbox.signEvent(text, DEFAULT_WEBHOOK_ID, now - 5 * 24 * 3_600_000),
    },
    'another algorithm': { ...good, headers: { ...good.headers, 'paypal-auth-algo': 'SHA1withRSA' } },
    'not a time': { ...good, headers: { ...good.headers, 'paypal-transmission-time': 'yesterday' } },
    'not a certificate': {
      ...good,
      headers: { ...good.headers, 'paypal-cert-url': `${bench.sandbox.url}/checkoutnow` },
    },
  };
  for (const [what, delivery] of Object.entries(bad)) {
    const refusal = await parse(delivery).catch((error: unknown) => error);
    expect([what, refusal instanceof InvalidEventSignature]).toEqual([what, true]);
  }
  await stranger.stop();
});

test('with no address of our own, certificates come from PayPal over https and from nowhere else', async () => {
  const adapter = createPayPalAdapter(paypalAccount(bench.target), '');
  const body = Buffer.from('{}');
  const signed = bench.sandbox.signEvent('{}', DEFAULT_WEBHOOK_ID, Date.now());
  const addresses = [
    signed['paypal-cert-url'] ?? '',
    'http://api.sandbox.paypal.com/v1/notifications/certs/CERT-1',
    'https://api.paypal.com/v1/notifications/certs/CERT-1',
    'https://api.sandbox.paypal.com.evil.example/v1/notifications/certs/CERT-1',
    'https://api.sandbox.paypal.com@evil.example/v1/notifications/certs/CERT-1',
    'https://api.sandbox.paypal.com:8443/v1/notifications/certs/CERT-1',
    'https://api.sandbox.paypal.com/v1/notifications/certs/../../../upload/CERT-1',
    'file:///etc/passwd',
  ];
  for (const url of addresses) {
    const work = adapter.parseInboundEvent(body, { ...signed, 'paypal-cert-url': url });
    await expect(work).rejects.toBeInstanceOf(InvalidEventSignature);
  }
  adapter.close();
});

test('a certificate that cannot be had now is a fault, so that PayPal repeats the event; it is fetched once', async () => {
  const other = await startPayPalBench();
  const headers = other.sandbox.signEvent('{}', DEFAULT_WEBHOOK_ID, Date.now());
  const url = `${other.sandbox.url}/v1/notifications/certs/CERT-gone`;
  const gone = other.adapter.parseInboundEvent(Buffer.from('{}'), { ...headers, 'paypal-cert-url': url });
  const fault: unknown = await gone.catch((error: unknown) => error);
  expect(fault).toBeInstanceOf(ChannelFault);
  expect(fault).toMatchObject({ execution: 'not_sent', reason: 'certificate:http_404' });
  const body = JSON.stringify({ id: 'WH-1', event_type: 'X.Y', resource: {} });
  const sign = () => other.sandbox.signEvent(body, DEFAULT_WEBHOOK_ID, Date.now());
  const expected = { eventId: 'WH-1', type: 'X.Y', subject: 'other' };
  expect(await other.adapter.parseInboundEvent(Buffer.from(body), sign())).toEqual(expected);
  const later = sign();
  await other.sandbox.stop();
  // The certificate is known by now: nobody has to be asked.
  expect(await other.adapter.parseInboundEvent(Buffer.from(body), later)).toEqual(expected);
  other.adapter.close();
});

test('certificates with invented names are not fetched without end, and do not push out the one that is known', async () => {
  const body = JSON.stringify({ id: 'WH-2', event_type: 'X.Y', resource: {} });
  const sign = () => bench.sandbox.signEvent(body, DEFAULT_WEBHOOK_ID, Date.now());
  const known = () => bench.adapter.parseInboundEvent(Buffer.from(body), sign());
  await known();
  const invented = Array.from({ length: 30 }, (_item, n) => {
    const url = `${bench.sandbox.url}/v1/notifications/certs/CERT-${n}`;
    return bench.adapter.parseInboundEvent(Buffer.from(body), { ...sign(), 'paypal-cert-url': url });
  });
  const outcomes = await Promise.allSettled(invented);
  const reasons = outcomes.map((one) =>
    one.status === 'rejected' ? (one.reason as ChannelFault).reason : 'accepted',
  );
  expect(new Set(reasons)).toEqual(new Set(['certificate:http_404', 'certificate:busy']));
  expect(reasons.filter((reason) => reason === 'certificate:http_404').length).toBeLessThanOrEqual(4);
  await known();
});
