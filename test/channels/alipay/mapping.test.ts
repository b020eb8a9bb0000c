import {
  mapOrderStatus,
  mapTradeStatus,
  ORDER_STATUS_TABLE,
  toHoldSnapshot,
  toTradeSnapshot,
  TRADE_STATUS_TABLE,
  unopenedTrade,
} from '../../../src/channels/alipay/mapping';
import { readNumber, withDetails } from '../../../src/channels/alipay/numbers';
import { ChannelFault } from '../../../src/domain/channel';

const EXPIRY = 1_800_000_000;
const number = withDetails('HFP1', { amount: 12_345, currency: 'CNY' }, EXPIRY);
const details = readNumber(number);
const trade = (more: object) => ({ out_trade_no: 'HFP1', total_amount: '123.45', ...more });

test.each([
  ['WAIT_BUYER_PAY', false, 'requires_action'],
  ['TRADE_SUCCESS', true, 'succeeded'],
  ['TRADE_FINISHED', true, 'succeeded'],
  ['TRADE_CLOSED', false, 'canceled'],
  ['TRADE_CLOSED', true, 'succeeded'],
  ['TRADE_PENDING', false, 'unknown'],
  ['toString', false, 'unknown'],
  [undefined, false, 'unknown'],
])('a trade that is %s (paid: %s) is %s', (status, wasPaid, expected) => {
  expect(mapTradeStatus(status, wasPaid)).toBe(expected);
});

test.each([
  ['INIT', 0, 'requires_action'],
  ['AUTHORIZED', 0, 'requires_capture'],
  ['FINISH', 500, 'succeeded'],
  ['CLOSED', 0, 'canceled'],
  ['CLOSED', 500, 'succeeded'],
  ['FROZEN', 0, 'unknown'],
])('an authorisation that is %s with %d paid is %s', (status, paid, expected) => {
  expect(mapOrderStatus(status, paid)).toBe(expected);
});

test('the tables hold no more than what is tested here', () => {
  expect(Object.keys(TRADE_STATUS_TABLE)).toHaveLength(4);
  expect(Object.keys(ORDER_STATUS_TABLE)).toHaveLength(4);
});

test('closed after a full refund is not closed without payment', () => {
  const refunded = trade({ trade_status: 'TRADE_CLOSED', send_pay_date: '2026-11-23 22:00:00' });
  expect(toTradeSnapshot(number, details, refunded, 0)).toMatchObject({
    status: 'succeeded',
    amountPaid: 12_345,
    amountRefunded: 12_345,
  });
  const never = trade({ trade_status: 'TRADE_CLOSED' });
  expect(toTradeSnapshot(number, details, never, EXPIRY - 1)).toMatchObject({
    status: 'canceled',
    amountPaid: 0,
    closeCause: 'requested',
  });
  expect(toTradeSnapshot(number, details, never, EXPIRY)).toMatchObject({ closeCause: 'deadline' });
});

test('an answer about another trade, or with an amount that is none, is a fault', () => {
  const other = { ...trade({ trade_status: 'TRADE_SUCCESS' }), out_trade_no: 'HFP2' };
  expect(() => toTradeSnapshot(number, details, other, 0)).toThrow(ChannelFault);
  const odd = { ...trade({ trade_status: 'TRADE_SUCCESS' }), total_amount: '1.234' };
  expect(() => toTradeSnapshot(number, details, odd, 0)).toThrow(ChannelFault);
});

test('a trade nobody has opened waits until its time and a margin are over', () => {
  expect(unopenedTrade(number, details, EXPIRY + 9)).toMatchObject({
    status: 'requires_action',
    amount: 12_345,
  });
  expect(unopenedTrade(number, details, EXPIRY + 10)).toMatchObject({
    status: 'canceled',
    closeCause: 'deadline',
  });
  expect(unopenedTrade('HFP1', readNumber('HFP1'), 0)).toBeUndefined();
});

test('a hold with nothing left is ended, whatever its order says', () => {
  const hold = { out_order_no: 'HFA1', order_status: 'AUTHORIZED', status: 'SUCCESS', amount: '5.00' };
  const of = (more: object) => toHoldSnapshot(readNumber('HFA1'), { ...hold, ...more });
  expect(of({ rest_amount: '5.00', total_pay_amount: '0.00' })).toMatchObject({
    channelPreAuthNo: withDetails('HFA1', { amount: 500, currency: 'CNY' }),
    status: 'requires_capture',
    amountCapturable: 500,
  });
  expect(of({ rest_amount: '0.00', total_pay_amount: '5.00' })).toMatchObject({
    status: 'succeeded',
    amountCapturable: 0,
    amountCaptured: 500,
  });
  expect(of({ rest_amount: '0.00', total_pay_amount: '0.00' })).toMatchObject({ status: 'canceled' });
});
