import { CRYPTO_EVENTS, parseCryptoEvent, signatureOf, subjectOf } from '../../../src/channels/crypto/events';
import {
  describeRefund,
  orderIdOf,
  readRefundDescription,
  refundNameOf,
} from '../../../src/channels/crypto/identity';
import { InvalidEventSignature } from '../../../src/domain/channel';

describe('identity', () => {
  const call = { idempotencyKey: 'k', holdfastId: 'payment/m/PY1', holdfastCall: 'create/1' };

  test('it is stable, and differs by workflow and by call', () => {
    const others = [
      { ...call, holdfastId: 'payment/m/PY2' },
      { ...call, holdfastCall: 'create/2' },
      { ...call, holdfastId: 'payment/m', holdfastCall: 'PY1/create/1' },
    ];
    expect(orderIdOf({ ...call, idempotencyKey: 'other' })).toBe(orderIdOf(call));
    expect(new Set([call, ...others].map(orderIdOf)).size).toBe(4);
  });

  test('a pull payment takes 50 characters of name', () => {
    expect(refundNameOf({ ...call, holdfastId: 'x'.repeat(500) }).length).toBeLessThanOrEqual(50);
  });

  test.each([
    { invoiceId: 'inv', refundNo: 'RF1', holdfastId: 'refund/m/RF1', holdfastCall: 'refund/1' },
    { invoiceId: 'i;n=v', refundNo: 'a; b', holdfastId: '<b>&"', holdfastCall: 'ö=ü' },
  ])('a description is read back, without a character that HTML would change: %j', (identity) => {
    const text = describeRefund(identity);
    expect(text).not.toMatch(/[<>&"]/);
    expect(readRefundDescription(text)).toEqual(identity);
  });

  test.each([
    '',
    'Refund for order 7',
    'invoice=a; refund_no=b',
    'invoice=a; refund_no=b; holdfast_id=c; other=d',
    'invoice=%; refund_no=b; holdfast_id=c; holdfast_call=d',
  ])('somebody else wrote %j', (text) => expect(readRefundDescription(text)).toBeUndefined());
});

describe('events', () => {
  const account = { webhookSecret: 'secret', storeId: 'store' };
  const parse = (event: object, from = account) => {
    const body = Buffer.from(JSON.stringify(event));
    return parseCryptoEvent(from, body, { 'btcpay-sig': signatureOf('secret', body) });
  };
  const first = {
    deliveryId: 'd1',
    originalDeliveryId: 'd1',
    type: 'InvoiceSettled',
    storeId: 'store',
    invoiceId: 'inv',
  };

  test('a redelivery is the same event', () => {
    const again = { ...first, deliveryId: 'd2', isRedelivery: true };
    expect(parse(again).eventId).toBe(parse(first).eventId);
    expect(parse({ ...first, originalDeliveryId: null }).eventId).toBe('d1');
  });

  test('a payout names the refund it belongs to', () => {
    const payout = {
      ...first,
      type: 'PayoutUpdated',
      payoutId: 'po',
      pullPaymentId: 'pp',
      invoiceId: undefined,
    };
    expect(parse(payout)).toEqual({
      eventId: 'd1',
      type: 'PayoutUpdated',
      subject: 'refund',
      objectId: 'pp',
    });
  });

  test('our identity is in the metadata, when it is a text', () => {
    expect(parse({ ...first, metadata: { holdfast_id: 'payment/m/1' } }).holdfastId).toBe('payment/m/1');
    expect(parse({ ...first, metadata: { holdfast_id: 7 } })).not.toHaveProperty('holdfastId');
  });

  test('signed, and refused all the same: another store, no event, no secret', () => {
    expect(() => parse({ ...first, storeId: 'other' })).toThrow(InvalidEventSignature);
    expect(() => parse({ hello: 'world' })).toThrow(InvalidEventSignature);
    expect(() => parse([])).toThrow(InvalidEventSignature);
    const body = Buffer.from(JSON.stringify(first));
    const headers = { 'btcpay-sig': signatureOf('', body) };
    expect(() => parseCryptoEvent({ ...account, webhookSecret: '' }, body, headers)).toThrow(
      InvalidEventSignature,
    );
  });

  test('every event we ask for is about something', () => {
    for (const type of CRYPTO_EVENTS) expect(['payment', 'refund']).toContain(subjectOf(type));
    expect(subjectOf('PaymentRequestCreated')).toBe('other');
  });
});
