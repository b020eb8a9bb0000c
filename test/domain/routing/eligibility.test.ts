/** What a channel can take: every reason to exclude one, with its code and its sentence. */
import { EXCLUSION_CODES } from '../../../src/domain/routing/types';
import type { ChannelSettings, RoutingRequest } from '../../../src/domain/routing/types';
import { channel, compiled, healthOf, request, route } from './fixtures';

const GB = { code: 'GB', source: 'explicit' } as const;
const hold = { operation: 'pre_auth' } as const;

type Row = readonly [string, Partial<ChannelSettings>, Partial<RoutingRequest>, string | undefined, string?];

const ROWS: readonly Row[] = [
  ['nothing in the way', {}, {}, undefined],
  ['switched off', { enabled: false }, {}, 'disabled', 'it is switched off'],
  ['not automatic', { automatic: false }, {}, 'not_automatic'],
  ['not automatic, but listed', { automatic: false }, { allowedChannels: ['x'] }, undefined],
  ['not listed', {}, { allowedChannels: ['y'] }, 'not_allowed', 'the request does not list it'],
  ['listed', {}, { allowedChannels: ['x', 'y'] }, undefined],
  ['a list of none', {}, { allowedChannels: [] }, 'not_allowed'],
  ['a payment where there are no holds', { preAuth: false }, {}, undefined],
  ['a hold where there are none', { preAuth: false }, hold, 'pre_auth_not_supported'],
  [
    'captures in parts where there is one',
    {},
    { ...hold, needsMultipleCaptures: true },
    'multiple_captures_not_supported',
  ],
  ['captures in parts', { multipleCaptures: true }, { ...hold, needsMultipleCaptures: true }, undefined],
  ['its currency', { currencies: ['USD'] }, {}, undefined],
  ['another currency', { currencies: ['EUR'] }, {}, 'currency_not_supported', 'it does not take USD'],
  ['its country', { countries: ['GB'] }, { country: GB }, undefined],
  ['another country', { countries: ['US'] }, { country: GB }, 'country_not_supported'],
  [
    'its region',
    { countries: ['EEA'] },
    { country: { code: 'FR', source: 'ip' } },
    undefined,
  ],
  ['outside its region', { countries: ['EEA'] }, { country: GB }, 'country_not_supported'],
  ['no country known', { countries: ['US'] }, {}, undefined],
  ['the smallest amount', { amounts: { USD: { min: 50 } } }, { amount: 50 }, undefined],
  [
    'less than that',
    { amounts: { USD: { min: 50 } } },
    { amount: 49 },
    'amount_below_minimum',
    'it takes no less than 0.50 USD',
  ],
  ['the largest amount', { amounts: { USD: { max: 50 } } }, { amount: 50 }, undefined],
  ['more than that', { amounts: { USD: { max: 50 } } }, { amount: 51 }, 'amount_above_maximum'],
  ['bounds of another currency', { amounts: { EUR: { max: 50 } } }, {}, undefined],
  ['a currency named like a method', { amounts: {} }, { currency: 'constructor' }, undefined],
]; // prettier-ignore

test.each(ROWS.map((row) => [row[0], row] as const))('%s', (_what, [, settings, fields, code, sentence]) => {
  const { candidates } = route(compiled([channel('x', settings)]), fields);
  expect(candidates[0]?.eligible).toBe(code === undefined);
  expect(candidates[0]?.excluded?.code).toBe(code);
  if (sentence !== undefined) expect(candidates[0]?.excluded?.reason).toBe(sentence);
});

test('what the channel itself refuses to express', () => {
  const canExpress = jest.fn(() => false);
  const { candidates } = route(compiled([channel('x')]), { amount: 3 }, { canExpress });
  expect(candidates[0]?.excluded?.code).toBe('amount_not_expressible');
  expect(canExpress).toHaveBeenCalledWith('x', request({ amount: 3 }), {});
});

test('out of service, while another is in', () => {
  const { candidates } = route(
    compiled([channel('x'), channel('y')]),
    {},
    { health: healthOf({ x: 'out' }) },
  );
  expect(candidates.map(({ excluded }) => excluded?.code)).toEqual(['out_of_service', undefined]);
});

describe('accounts', () => {
  const account = { id: 'a1', channel: 'x', world: 'test', merchantId: null, contract: {} } as const;
  const codeOf = (accounts: readonly object[], settings: Partial<ChannelSettings>, fields = {}) =>
    route(compiled([channel('x', settings)], { accounts: accounts as (typeof account)[] }), fields)
      .candidates[0]?.excluded?.code;

  test.each([
    ["the platform's", [account], undefined],
    ["the merchant's own", [{ ...account, merchantId: 'merchant-1' }], undefined],
    ["another merchant's", [{ ...account, merchantId: 'merchant-2' }], 'no_account'],
    ['of the other world', [{ ...account, world: 'live' }], 'no_account'],
    ['none', [], 'no_account'],
    ['switched off', [{ ...account, switchedOff: true }], 'account_switched_off'],
    [
      "the merchant's own switched off: the platform's does not take its place",
      [{ ...account, id: 'a2', merchantId: 'merchant-1', switchedOff: true }, account],
      'account_switched_off',
    ],
    [
      "the platform's switched off: the merchant's own does not mind",
      [
        { ...account, id: 'a2', merchantId: 'merchant-1' },
        { ...account, switchedOff: true },
      ],
      undefined,
    ],
  ])('%s', (_what, accounts, code) => expect(codeOf(accounts, {})).toBe(code));

  test("a contract adds to what the channel can do, the merchant's own before the platform's", () => {
    const contract = { preAuth: true, multipleCaptures: true, currencies: ['USD'] };
    const settings = { preAuth: false, currencies: ['CNY'] };
    const fields = { ...hold, needsMultipleCaptures: true };
    const own = { ...account, id: 'a2', merchantId: 'merchant-1' };
    expect(codeOf([{ ...account, contract }], settings, fields)).toBeUndefined();
    expect(codeOf([{ ...own, contract }, account], settings, fields)).toBeUndefined();
    expect(codeOf([own, { ...account, contract }], settings, fields)).toBe('pre_auth_not_supported');
  });
});

test('every code has been seen', () => {
  const seen = new Set(ROWS.map(([, , , code]) => code));
  const elsewhere = ['no_account', 'account_switched_off', 'amount_not_expressible', 'out_of_service'];
  expect(EXCLUSION_CODES.filter((code) => !seen.has(code)).sort()).toEqual(elsewhere.sort());
});
