import {
  callName,
  channelIdempotencyKey,
  generateNumber,
  MERCHANT_NUMBER,
  preAuthWorkflowId,
} from '../../src/domain/ids';

const NOW = new Date('2025-01-24T12:34:56.789Z');
const UUID = '0f8fad5b-d9cb-469f-a165-70867728950e';

describe('generateNumber', () => {
  test('is prefix, UTC second and eight letters', () => {
    expect(generateNumber('PA', NOW, Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7))).toBe('PA20250124123456abcdefgh');
  });

  test('uses eight bytes, each for one letter', () => {
    const bytes = Uint8Array.from({ length: 16 }, (_, index) => 255 - index);
    const number = generateNumber('RF', NOW, bytes);
    expect(number).toMatch(/^RF\d{14}[a-z]{8}$/);
    expect(number).toMatch(MERCHANT_NUMBER);
    expect(generateNumber('RF', NOW, bytes.subarray(1))).not.toBe(number);
  });
});

describe('MERCHANT_NUMBER', () => {
  test.each(['A', 'a.b_c-9', 'x'.repeat(64)])('takes %p', (text) => expect(text).toMatch(MERCHANT_NUMBER));
  test.each(['', 'x'.repeat(65), 'a b', 'a/b', 'ä', 'a\n', '订单'])('refuses %p', (text) =>
    expect(text).not.toMatch(MERCHANT_NUMBER),
  );
});

describe('what channels see', () => {
  test('the workflow id, the call and the key derive from each other', () => {
    expect(preAuthWorkflowId(UUID, 'PA1')).toBe(`pre-auth/${UUID}/PA1`);
    expect(callName('capture', 2)).toBe('capture/2');
    expect(channelIdempotencyKey(preAuthWorkflowId(UUID, 'PA1'), 'capture', 2)).toBe(
      `pre-auth/${UUID}/PA1/capture/2`,
    );
  });

  test('the longest key fits into the 255 characters that Stripe takes', () => {
    const longest = channelIdempotencyKey(preAuthWorkflowId(UUID, 'x'.repeat(64)), 'capture', 2 ** 31 - 1);
    expect(longest.length).toBeLessThanOrEqual(130);
  });

  test('keys differ by merchant, number, operation and n', () => {
    const keys = ['M1', 'M2'].flatMap((merchant) =>
      ['A', 'A.capture'].flatMap((number) =>
        ['create', 'capture', 'cancel'].flatMap((operation) =>
          [1, 2, 11].map((n) => channelIdempotencyKey(preAuthWorkflowId(merchant, number), operation, n)),
        ),
      ),
    );
    expect(new Set(keys).size).toBe(2 * 2 * 3 * 3);
  });
});
