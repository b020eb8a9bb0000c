import {
  authorizationsOf,
  currentAuthorization,
  withAuthorization,
} from '../../../src/channels/paypal/order';
import type { PayPalAuthorization, PayPalOrder } from '../../../src/channels/paypal/wire';

const usd = { currency_code: 'USD', value: '100.00' };
const original = { id: 'A', status: 'CREATED', amount: usd, create_time: '2026-01-01T00:00:00Z' };
const renewal = { id: 'B', status: 'CREATED', amount: usd };

const order = (...authorizations: PayPalAuthorization[]): PayPalOrder => ({
  id: 'O1',
  intent: 'AUTHORIZE',
  purchase_units: [{ amount: usd, payments: { authorizations } }],
});
const idsOf = (one: PayPalOrder) => authorizationsOf(one).map(({ id }) => id);

test.each([
  ['with its time', { ...renewal, create_time: '2026-01-05T00:00:00Z' }],
  ['without a time', renewal],
  ['with a time that cannot be read', { ...renewal, create_time: 'yesterday' }],
])('a renewal that is answered %s is the latest', (_what, answered) => {
  const renewed = withAuthorization(order(original), answered);
  expect(idsOf(renewed)).toEqual(['A', 'B']);
  expect(currentAuthorization(renewed)?.id).toBe('B');
});

test('an answer that leaves out the time of one that is known does not change which is the original', () => {
  const later = { ...renewal, create_time: '2026-01-05T00:00:00Z' };
  const voided = withAuthorization(order(later, original), { id: 'A', status: 'VOIDED', amount: usd });
  expect(idsOf(voided)).toEqual(['A', 'B']);
  expect(authorizationsOf(voided)[0]).toEqual({ ...original, status: 'VOIDED' });
});

test('without any times they stay in the order in which PayPal names them', () => {
  const { create_time: _time, ...timeless } = original;
  expect(idsOf(withAuthorization(order(timeless), renewal))).toEqual(['A', 'B']);
});
