/** Out of service and back: an outage, slowness, declines, probes counted. */
import {
  DEFAULT_HEALTH_LIMITS,
  EMPTY_WINDOW,
  HEALTHY,
  mergeWindows,
  nextHealth,
  observe,
} from '../../../src/domain/routing/health';
import type { HealthOutcome, HealthWindow } from '../../../src/domain/routing/health';
import { createHealthBook } from '../../../src/domain/routing/health-book';
import { channel, compiled, price, route } from './fixtures'; // prettier-ignore

const LIMITS = DEFAULT_HEALTH_LIMITS;
const START = 1_700_000_000_000;

interface Call {
  readonly outcome: HealthOutcome;
  readonly latencyMs?: number;
}

/** So many calls, one every `everyMs`. */
function windowAfter(calls: readonly Call[], everyMs = 50): { window: HealthWindow; nowMs: number } {
  let nowMs = START;
  let window = EMPTY_WINDOW;
  for (const { outcome, latencyMs = 100 } of calls) window = observe(window, outcome, latencyMs, (nowMs += everyMs));
  return { window, nowMs };
} // prettier-ignore

const times = (count: number, outcome: HealthOutcome, latencyMs = 100): Call[] =>
  Array.from({ length: count }, () => ({ outcome, latencyMs }));
const mixed = (count: number, isFault: (n: number) => boolean): Call[] =>
  Array.from({ length: count }, (_, n) => ({ outcome: isFault(n) ? 'fault' : 'success' }));

test.each<[string, Call[], 'faults' | 'latency' | undefined]>([
  ['nothing happened', [], undefined],
  ['9 faults in a row', times(9, 'fault'), undefined],
  ['10 faults in a row', times(10, 'fault'), 'faults'],
  ['10 faults after a thousand successes', [...times(1_000, 'success'), ...times(10, 'fault')], 'faults'],
  [
    'an answer between the faults',
    [...times(9, 'fault'), ...times(1, 'decline'), ...times(9, 'fault')],
    undefined,
  ],
  ['two of three calls faults', mixed(60, (n) => n % 3 > 0), 'faults'],
  ['one of three calls a fault', mixed(60, (n) => n % 3 === 0), undefined],
  ['a thousand declines', times(1_000, 'decline'), undefined],
  ['slow answers', times(40, 'success', 10_001), 'latency'],
  ['slow declines', times(40, 'decline', 10_001), 'latency'],
  ['answers at the limit', times(40, 'success', 10_000), undefined],
  ['few slow answers', times(19, 'success', 60_000), undefined],
])('%s', (_what, calls, cause) => {
  const { window, nowMs } = windowAfter(calls);
  const health = nextHealth(HEALTHY, window, nowMs, LIMITS);
  expect([health.phase, health.cause]).toEqual(cause === undefined ? ['in', undefined] : ['out', cause]);
});

test('what is older than the window says nothing', () => {
  const { window, nowMs } = windowAfter(times(19, 'fault'));
  const later = nowMs + LIMITS.windowMs + 1_000;
  expect(nextHealth(HEALTHY, window, later, LIMITS)).toBe(HEALTHY);
});

test('windows of several processes say what one would have said', () => {
  const a = windowAfter(times(6, 'fault')).window;
  const b = windowAfter(times(4, 'fault')).window;
  const merged = mergeWindows(a, b);
  expect(merged.faultsInRow).toBe(10);
  expect(merged.buckets).toEqual(windowAfter(times(10, 'fault'), 0).window.buckets);
  const answered = mergeWindows(merged, windowAfter([{ outcome: 'success' }, { outcome: 'fault' }]).window);
  expect([answered.faultsInRow, answered.answersInRow]).toEqual([1, 0]);
});

describe('an outage at 20 requests a second', () => {
  const config = compiled([channel('bad'), channel('good')], { fees: [price('bad', 1), price('good', 2)] });

  /** A request every 50 ms; the answer of each is known 500 ms later, as when it goes through a window shared by all. */
  function run(untilMs: number, isDown: (ms: number) => boolean, everyMs = 50, delayMs = 500) {
    const book = createHealthBook(LIMITS);
    let window = EMPTY_WINDOW;
    const due: { atMs: number; outcome: HealthOutcome }[] = [];
    const sent: { atMs: number; channel: string; probe: boolean; failed: boolean }[] = [];
    for (let atMs = 0; atMs < untilMs; atMs += everyMs) {
      const nowMs = START + atMs;
      while (due[0] !== undefined && due[0].atMs <= atMs) {
        window = observe(window, due.shift()?.outcome ?? 'success', 100, nowMs);
        book.update('bad', window, nowMs);
      }
      const decision = route(config, { number: `n${atMs}` }, { health: book.viewAt(nowMs) });
      book.note(decision, nowMs);
      const failed = decision.channel === 'bad' && isDown(atMs);
      if (decision.channel === 'bad') due.push({ atMs: atMs + delayMs, outcome: failed ? 'fault' : 'success' });
      sent.push({ atMs, channel: decision.channel, probe: decision.probe === true, failed });
    }
    return sent;
  } // prettier-ignore

  const DOWN_FROM = 10_000;
  const DOWN_UNTIL = 70_000;
  const sent = run(120_000, (ms) => ms >= DOWN_FROM && ms < DOWN_UNTIL);
  const during = sent.filter(({ atMs }) => atMs >= DOWN_FROM && atMs < DOWN_UNTIL);

  test('is out after at most 20 failing requests, within 5 s', () => {
    const failed = during.filter((one) => one.failed && !one.probe);
    expect(failed.length).toBeGreaterThanOrEqual(LIMITS.faultsInRow);
    expect(failed.length).toBeLessThanOrEqual(20);
    expect((failed.at(-1)?.atMs ?? 0) - DOWN_FROM).toBeLessThan(5_000);
  });

  test('is probed once in 5 s', () => {
    const probes = during.filter(({ probe }) => probe).map(({ atMs }) => atMs);
    const gaps = probes.slice(1).map((atMs, n) => atMs - (probes[n] ?? 0));
    expect(probes.length).toBe(11);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(4_900);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5_050);
  });

  test('is back within 30 s after three probes', () => {
    const after = sent.filter(({ atMs }) => atMs >= DOWN_UNTIL);
    expect(after.filter(({ probe }) => probe)).toHaveLength(3);
    const back = after.find((one) => one.channel === 'bad' && !one.probe);
    expect(back?.atMs).toBeLessThan(DOWN_UNTIL + 30_000);
    expect(after.slice(-100).every((one) => one.channel === 'bad')).toBe(true);
  });

  test('at 500 requests a second one in a hundred probes', () => {
    const fast = run(20_000, () => true, 2, 20).filter(({ atMs }) => atMs >= 10_000);
    expect(fast.filter(({ probe }) => probe)).toHaveLength(50);
    expect(fast.filter((one) => one.channel === 'bad' && !one.probe)).toEqual([]);
  });
});

test('a quote takes no probe away', () => {
  const book = createHealthBook(LIMITS);
  book.update('bad', windowAfter(times(10, 'fault')).window, START + 500);
  const view = () => book.viewAt(START + 5_500).stateOf('bad');
  expect([view(), view()]).toEqual(['probe', 'probe']);
  book.note({ channel: 'bad', probe: true, candidates: [] }, START + 5_500);
  expect([view(), book.viewAt(START + 10_500).stateOf('bad')]).toEqual(['out', 'probe']);
});

test('what another process tries is not due here, and what is missed goes on counting', () => {
  const book = createHealthBook({ ...LIMITS, probeEvery: 3 });
  book.update('bad', windowAfter(times(10, 'fault')).window, START + 500);
  book.probedElsewhere('bad', START + 5_400);
  book.probedElsewhere('unknown', START + 5_400);
  const stateAt = (atMs: number) => book.viewAt(START + atMs).stateOf('bad');
  expect([stateAt(5_500), stateAt(10_399), stateAt(10_400)]).toEqual(['out', 'out', 'probe']);
  expect(book.viewAt(START).stateOf('unknown')).toBe('in');
  const excluded = { code: 'out_of_service', reason: '' } as const;
  const missed = { channel: 'good', candidates: [{ channel: 'bad', eligible: false, excluded }] };
  book.note(missed, START + 5_500);
  book.probedElsewhere('bad', START + 5_500);
  book.note(missed, START + 5_500);
  expect(stateAt(5_500)).toBe('probe');
});

test('a slow channel is back only when it answers fast', () => {
  const book = createHealthBook(LIMITS);
  const { window, nowMs } = windowAfter(times(40, 'success', 20_000));
  expect(book.update('slow', window, nowMs).after).toMatchObject({ phase: 'out', cause: 'latency' });
  const add = (from: HealthWindow, latencyMs: number, atMs: number) =>
    [0, 1, 2].reduce((sum) => observe(sum, 'success', latencyMs, atMs), from);
  const still = add(window, 20_000, nowMs + 2_000);
  expect(book.update('slow', still, nowMs + 2_000).after.phase).toBe('out');
  const fast = add(add(window, 100, nowMs + 4_000), 100, nowMs + 5_000);
  expect(book.update('slow', fast, nowMs + 5_000).after.phase).toBe('in');
});
