import { DECLINE_CODES } from '../../src/domain/channel';
import {
  codeOfEnd,
  endsUntaken,
  judgeFailover,
  MAX_CHANNELS_TRIED,
  RETRIABLE_DECLINES,
  UNREACHABLE_CODE,
} from '../../src/domain/failover';
import type { CreateEnd, FailoverScene, StopReason } from '../../src/domain/failover';

const NOW_MS = 1_764_000_000_000;
const scene = (fields: Partial<FailoverScene> = {}): FailoverScene => ({
  decision: { level: 'smart', ranked: ['stripe', 'paypal', 'alipay'] },
  tried: ['stripe'],
  maybeSent: false,
  handedOut: false,
  expiresAtMs: NOW_MS + 1,
  nowMs: NOW_MS,
  ...fields,
});
const NOT_SENT: CreateEnd = { kind: 'not_sent', reason: 'ECONNREFUSED' };
const ABSENT: CreateEnd = { kind: 'proved_absent' };
const declined = (code: (typeof DECLINE_CODES)[number]): CreateEnd => ({ kind: 'declined', code });

const RETRIABLE = [
  'invalid_amount',
  'invalid_currency',
  'invalid_request',
  'account_invalid',
  'processing_error',
];

test.each(DECLINE_CODES)('a create declined as %s', (code) => {
  const isRetriable = RETRIABLE.includes(code);
  expect(RETRIABLE_DECLINES[code]).toBe(isRetriable);
  expect(judgeFailover(declined(code), scene())).toEqual(
    isRetriable
      ? { kind: 'go_on', candidates: ['paypal', 'alipay'] }
      : { kind: 'stop', reason: 'not_retriable' },
  );
});

test.each([NOT_SENT, ABSENT])('$kind goes on with the untried ones, in their order', (end) => {
  const tried = ['stripe', 'stripe', 'paypal'];
  expect(judgeFailover(end, scene({ tried }))).toEqual({ kind: 'go_on', candidates: ['alipay'] });
});

test('a decline of a repeat moves nothing while an earlier send may have been executed', () => {
  const sent = scene({ maybeSent: true });
  expect(judgeFailover(declined('account_invalid'), sent)).toEqual({
    kind: 'stop',
    reason: 'maybe_executed',
  });
  expect(judgeFailover({ kind: 'proved_absent' }, sent).kind).toBe('go_on');
});

test.each<[StopReason, Partial<FailoverScene>]>([
  ['handed_out', { handedOut: true }],
  ['expired', { nowMs: NOW_MS + 1 }],
  ['explicit_channel', { decision: { level: 'explicit', ranked: ['stripe', 'paypal'] } }],
  ['no_other_channel', { decision: { level: 'default', ranked: ['stripe'] } }],
  ['no_other_channel', { decision: undefined }],
  ['no_other_channel', { tried: ['alipay', 'paypal', 'stripe'] }],
  [
    'too_many_channels',
    { tried: ['a', 'b', 'c'], decision: { level: 'rules', ranked: ['a', 'b', 'c', 'd'] } },
  ],
])('stops: %s', (reason, fields) => {
  for (const end of [NOT_SENT, ABSENT, declined('processing_error')])
    expect(judgeFailover(end, scene(fields))).toEqual({ kind: 'stop', reason });
});

test('no channel is tried twice, and no more than the limit, whatever the channels do', () => {
  const ranked = ['a', 'b', 'a', 'c', 'd', 'e', 'b'];
  const tried = ['a'];
  for (;;) {
    const verdict = judgeFailover(NOT_SENT, scene({ tried, decision: { level: 'smart', ranked } }));
    if (verdict.kind === 'stop') break;
    tried.push(verdict.candidates[0] ?? '');
  }
  expect(tried).toEqual(['a', 'b', 'c']);
  expect(tried).toHaveLength(MAX_CHANNELS_TRIED);
});

test.each<[CreateEnd, Partial<FailoverScene>, boolean]>([
  [declined('card_declined'), {}, true],
  [declined('processing_error'), { handedOut: true }, true],
  [NOT_SENT, {}, false],
  [ABSENT, {}, false],
  [ABSENT, { tried: ['stripe', 'stripe'] }, false],
  [NOT_SENT, { tried: ['stripe', 'paypal'] }, true],
  [ABSENT, { tried: ['stripe', 'paypal'] }, true],
  [NOT_SENT, { tried: ['stripe', 'paypal'], handedOut: true }, false],
])('%j ends an object for whom nobody is left (%j): %s', (end, fields, expected) => {
  expect(endsUntaken(end, scene(fields))).toBe(expected);
});

test('an object fails with the code of its last end', () => {
  expect(codeOfEnd(declined('account_invalid'))).toBe('account_invalid');
  expect(codeOfEnd(NOT_SENT)).toBe(UNREACHABLE_CODE);
  expect(codeOfEnd(ABSENT)).toBe(UNREACHABLE_CODE);
});
