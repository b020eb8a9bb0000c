import {
  borrowedNameProblem,
  busyRefusal,
  closedRefusal,
  isSaidByApi,
  judgeCapture,
  judgeRelease,
  markedFor,
  parseOperatorInput,
  updateProblem,
} from '../../src/domain/commands';
import { ERROR_MESSAGES, fail, HoldfastError, refuse } from '../../src/domain/errors';
import { isClosed, isHeld, PRE_AUTH_STATUSES } from '../../src/domain/pre-auth';
import { AMOUNT, hold } from './holds';

const capture = (fields: { amount?: number; final?: boolean } = {}) =>
  ({ kind: 'capture', commandId: 'c1', ...fields }) as const;

describe('judgeCapture', () => {
  test.each(PRE_AUTH_STATUSES)('of a hold that is %s', (status) => {
    const judged = judgeCapture(hold(status), capture({ amount: 1 }));
    if (isHeld(status)) return expect(judged).toEqual({ amount: 1, final: true });
    expect(judged).toMatchObject({
      code: isClosed(status) ? 'PRE_AUTH_CLOSED' : 'PRE_AUTH_NOT_CAPTURABLE',
      details: { status },
    });
  });

  test.each([
    ['everything when no amount is named', hold('requires_capture'), {}, { amount: AMOUNT, final: true }],
    ['everything that is left', hold('partially_captured'), {}, { amount: 30_000, final: true }],
    ['a part', hold('requires_capture'), { amount: 32_000 }, { amount: 32_000, final: true }],
    ['exactly what is left', hold('partially_captured'), { amount: 30_000 }, { amount: 30_000, final: true }],
    ['final where the channel captures once', hold('requires_capture'), { amount: 1, final: false }, { amount: 1, final: true }],
    ['and keeps the rest where it captures again', hold('requires_capture', { multipleCaptures: true }), { amount: 1, final: false }, { amount: 1, final: false }],
    ['but releases it when nothing is said', hold('requires_capture', { multipleCaptures: true }), { amount: 1 }, { amount: 1, final: true }],
  ])('takes %s', (_what, held, fields, expected) => {
    expect(judgeCapture(held, capture(fields))).toEqual(expected);
  }); // prettier-ignore

  test('refuses one unit more than what is left, and says how much that is', () => {
    expect(judgeCapture(hold('partially_captured'), capture({ amount: 30_001 }))).toEqual({
      code: 'CAPTURE_AMOUNT_EXCEEDS_HOLD',
      details: { amount: 30_001, amount_capturable: 30_000 },
      message: 'The amount is more than what is left of the hold (300.00 USD).',
    });
  });
});

test.each(PRE_AUTH_STATUSES)('judgeRelease of a hold that is %s', (status) => {
  expect(judgeRelease(hold(status))).toEqual(isClosed(status) ? closedRefusal(status) : undefined);
});

test('the refusals of the slot name the state', () => {
  expect(closedRefusal('expired')).toMatchObject({ code: 'PRE_AUTH_CLOSED', details: { status: 'expired' } });
  expect(busyRefusal('requires_capture', 'cancel')).toMatchObject({
    code: 'PRE_AUTH_BUSY',
    details: { status: 'requires_capture', running: 'cancel' },
  });
});

describe('parseOperatorInput', () => {
  const parse = (input: unknown) =>
    parseOperatorInput(input, ['amount', 'final', 'by', 'reason', 'command_id']);

  test.each([
    [undefined, {}],
    [null, {}],
    [{}, {}],
    [{ amount: 100 }, { amount: 100 }],
    [{ amount: 100, final: false, by: 'ann', reason: 'x' }, { amount: 100, final: false, by: 'ann', reason: 'x' }],
    [{ reason: 'x'.repeat(500) }, { reason: 'x'.repeat(500) }],
  ])('takes %j', (input, fields) => expect(parse(input)).toEqual({ fields })); // prettier-ignore

  test.each([
    ['text', 'the input must be a JSON object or empty'],
    [5, 'the input must be a JSON object or empty'],
    [[{ amount: 1 }], 'the input must be a JSON object or empty'],
    [{ amout: 100 }, 'unknown field "amout"'],
    [{ amount: 100, outcome: 'executed' }, 'unknown field "outcome"'],
    [{ ['x'.repeat(99)]: 1 }, `unknown field "${'x'.repeat(40)}"`],
    [{ amount: '100' }, '"amount" must be a positive integer of minor units'],
    [{ amount: 0 }, '"amount" must be a positive integer of minor units'],
    [{ amount: 1.5 }, '"amount" must be a positive integer of minor units'],
    [{ amount: null }, '"amount" must be a positive integer of minor units'],
    [{ final: 'false' }, '"final" must be true or false'],
    [{ reason: 'a\u0000b' }, '"reason" must be a printable text of 1 to 500 characters'],
    [{ reason: 'a\ud800b' }, '"reason" must be a printable text of 1 to 500 characters'],
    ...['', 'create', 'expiry', 'authorize', 'complete', 'x'.repeat(101), 'a b', 7].map(
      (id) =>
        [
          { command_id: id },
          '"command_id" must be a name of its own, 1 to 100 characters of A-Z a-z 0-9 . _ : -',
        ] as [object, string],
    ),
    [{ by: '' }, '"by" must be a printable text of 1 to 500 characters'],
    [{ by: 7 }, '"by" must be a printable text of 1 to 500 characters'],
    [{ reason: 'x'.repeat(501) }, '"reason" must be a printable text of 1 to 500 characters'],
  ])('refuses %j', (input, problem) => expect(parse(input)).toEqual({ problem }));

  test('what the object inherits is no field', () => {
    expect(parse(Object.create({ amount: 1 }))).toEqual({ fields: {} });
  });
});

describe('updateProblem', () => {
  const apis = { kind: 'capture', commandId: 'c1', by: 'api', mark: 'v1.k1.AAAA' };
  const problemOf = (input: unknown) => updateProblem('capture', input, ['amount', 'final']);

  test.each([
    apis,
    { ...apis, amount: 100, final: false },
    // Of a process of the version before, which makes no mark: taken, and kept in the audit as anybody's.
    { kind: 'capture', commandId: 'c1', by: 'api' },
    { amount: 100, final: false, by: 'ann', reason: 'x' },
    { by: 'Apia Rootham' },
    {},
    undefined,
  ])('takes %j', (input) => expect(problemOf(input)).toBeUndefined());

  test.each([
    [{ kind: 'capture', commandId: 'x', amuont: 100 }, 'unknown field "kind"'],
    [{ commandId: 'x' }, 'unknown field "commandId"'],
    [{ ...apis, by: 'ann' }, 'unknown field "kind"'],
    [{ ...apis, amuont: 100 }, 'unknown field "amuont"'],
    [{ ...apis, reason: 'x' }, 'unknown field "reason"'],
    [{ ...apis, kind: 'cancel' }, '"kind" must be "capture"'],
    [{ commandId: 'c1', by: 'api' }, '"kind" must be "capture"'],
    [{ ...apis, amount: -1 }, '"amount" must be a positive integer of minor units'],
    [{ ...apis, final: 'no' }, '"final" must be true or false'],
    [{ ...apis, mark: 7 }, '"mark" must be a printable text of 1 to 500 characters'],
    [{ ...apis, commandId: 'expiry' }, '"commandId" must be a name of its own, 1 to 100 characters of A-Z a-z 0-9 . _ : -'],
    [{ mark: 'x' }, 'unknown field "mark"'],
    [[apis], 'the input must be a JSON object or empty'],
    ...['api', 'merchant', 'root', 'temporal', ' API ', 'Root'].map((by) => [{ by }, '"by" must be your own name, not api, merchant, root or temporal'] as [object, string]),
  ])('refuses %j', (input, problem) => expect(problemOf(input)).toBe(problem)); // prettier-ignore
});

test('only what names its command can be the word of the API', () => {
  expect(isSaidByApi({ by: 'api', command_id: 'c1' }, 'command_id')).toBe(true);
  for (const input of [{ by: 'api' }, { by: 'API', command_id: 'c1' }, { command_id: 'c1' }, null, 'api'])
    expect(isSaidByApi(input, 'command_id')).toBe(false);
  expect(borrowedNameProblem({ by: 'API ' })).toMatch(/your own name/);
  expect(borrowedNameProblem({})).toBeUndefined();
});

test('a mark is of one command of one object', () => {
  const object = { merchantId: 'm1', kind: 'pre_auth', no: 'PA1' } as const;
  const command = capture({ amount: 100 });
  const marks = [
    markedFor(object, command),
    markedFor({ ...object, no: 'PA2' }, command),
    markedFor({ ...object, merchantId: 'm2' }, command),
    markedFor({ ...object, kind: 'payment' }, command),
    markedFor(object, { ...command, kind: 'cancel' }),
    markedFor(object, { ...command, commandId: 'c2' }),
    markedFor(object, capture({ amount: 101 })),
    markedFor(object, capture()),
    markedFor(object, capture({ amount: 100, final: true })),
    markedFor(object, capture({ amount: 100, final: false })),
  ];
  expect(new Set(marks).size).toBe(marks.length);
});

test('a refusal carries its sentence; thrown, its code and details', () => {
  expect(refuse('NOT_FOUND')).toEqual({ code: 'NOT_FOUND', message: ERROR_MESSAGES.NOT_FOUND });
  const error = fail('PRE_AUTH_CONFLICT', { pre_auth_no: 'PA1' }, 'another sentence');
  expect(error).toBeInstanceOf(HoldfastError);
  expect(error).toMatchObject({
    code: 'PRE_AUTH_CONFLICT',
    details: { pre_auth_no: 'PA1' },
    message: 'another sentence',
  });
});
