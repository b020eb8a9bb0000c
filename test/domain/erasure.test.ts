import { withoutCustomer } from '../../src/domain/erasure';

const NUMBERS = new Set(['PA-1']);
const kept = (data: unknown) => ({ answer: { status: 201, data, message: 'Created' } });

test('an answer loses what it says of the customer, and stays an answer', () => {
  const data = {
    ...{ pre_auth_no: 'PA-1', amount: 500, status: 'succeeded', order_no: 'O-1' },
    ...{
      description: 'room 7',
      metadata: { guest: 'Ann' },
      reason: 'Ann asked',
      client_secret: 'pi_1_secret_2',
    },
    next_action: { type: 'redirect', url: 'https://pay.example/ann' },
  };
  expect(withoutCustomer(kept(data), NUMBERS)).toEqual(
    kept({ pre_auth_no: 'PA-1', amount: 500, status: 'succeeded', order_no: 'O-1', metadata: {} }),
  );
});

test.each([
  ['of another object', kept({ pre_auth_no: 'PA-2', description: 'room 7' })],
  ['whose order has that name', kept({ pre_auth_no: 'PA-2', order_no: 'PA-1' })],
  ['that is a refusal', { refusal: { code: 'CHANNEL_DECLINED', message: 'PA-1' } }],
  ['without data', kept(null)],
  ['that is a list', kept([{ pre_auth_no: 'PA-1' }])],
  ['that is none', 'PA-1'],
])('an answer %s is left alone', (_, answer) => {
  expect(withoutCustomer(answer, NUMBERS)).toBeUndefined();
});
