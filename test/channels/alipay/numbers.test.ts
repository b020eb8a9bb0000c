import fc from 'fast-check';
import {
  captureNumber,
  freezeNumber,
  holdOfCapture,
  numberOf,
  readNumber,
  readPassback,
  releaseNumber,
  withDetails,
  writePassback,
} from '../../../src/channels/alipay/numbers';

const call = { idempotencyKey: 'k', holdfastId: 'payment/m 1/PY&=ä', holdfastCall: 'create/1' };

test('a number is the call, and nothing else', () => {
  expect(numberOf('P', call)).toMatch(/^HFP[0-9a-f]{32}$/);
  expect(numberOf('P', { ...call })).toBe(numberOf('P', call));
  const others = [
    { ...call, holdfastCall: 'create/2' },
    { ...call, holdfastId: 'payment/m2/PY1' },
  ];
  expect(new Set([call, ...others].map((one) => numberOf('P', one))).size).toBe(3);
  expect(numberOf('R', call)).not.toBe(numberOf('P', call));
});

test('what is added to a number is read again, and all of it fits', () => {
  const amounts = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  const times = fc.integer({ min: 1, max: 4_000_000_000 });
  fc.assert(
    fc.property(amounts, times, (amount, expiresAtUnixSeconds) => {
      const outNo = numberOf('P', call);
      const number = withDetails(outNo, { amount, currency: 'USD' }, expiresAtUnixSeconds);
      expect(readNumber(number)).toEqual({ outNo, money: { amount, currency: 'USD' }, expiresAtUnixSeconds });
      expect(number.length).toBeLessThanOrEqual(64);
    }),
  );
  expect(readNumber('20150320010101001')).toEqual({ outNo: '20150320010101001' });
});

test('the operations of a hold have numbers of their own that lead back to it', () => {
  const hold = numberOf('A', call);
  const numbers = [
    freezeNumber(hold),
    captureNumber(hold, 'capture/1'),
    captureNumber(hold, 'capture/2'),
    captureNumber(hold, 'something else'),
    releaseNumber(hold, 'cancel/1'),
  ];
  expect(new Set(numbers).size).toBe(numbers.length);
  for (const number of numbers) expect(number).toMatch(/^\w{1,64}$/);
  expect(numbers.slice(1, 4).map(holdOfCapture)).toEqual([hold, hold, hold]);
  expect(holdOfCapture(numberOf('P', call))).toBeUndefined();
});

test('the identity survives being passed through, encoded or not', () => {
  const sent = writePassback(call, 'HFP1.2s.CNY.tw');
  expect(sent).not.toMatch(/[=&]/);
  const expected = { holdfastId: call.holdfastId, holdfastCall: 'create/1', number: 'HFP1.2s.CNY.tw' };
  expect(readPassback(sent)).toEqual(expected);
  expect(readPassback(decodeURIComponent(sent))).toEqual(expected);
  for (const foreign of ['', 'merchantBizType%3d3C', '%E0%A4%A', undefined])
    expect(readPassback(foreign)).toEqual({});
});
