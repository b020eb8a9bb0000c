import { CLOSED, nextBreaker } from '../../../src/api/limits/breaker';
import type { LimiterMode } from '../../../src/api/limits/breaker';

const POLICY = { opensAfter: 3, closesAfter: 2 };

/** `+`: answered in time, `-`: not. The mode after each. */
function modesOf(events: string): LimiterMode[] {
  let state = CLOSED;
  return [...events].map((event) => (state = nextBreaker(state, event === '+', POLICY)).mode);
}

test.each<[string, string]>([
  ['++++', 'rrrr'],
  ['--+--+', 'rrrrrr'],
  ['---', 'rrl'],
  ['----', 'rrll'],
  ['---+', 'rrll'],
  ['---+-+', 'rrllll'],
  ['---++', 'rrllr'],
  ['---+-++', 'rrllllr'],
  ['---++--', 'rrllrrr'],
  ['---++---', 'rrllrrrl'],
])('%s', (events, modes) => {
  expect(modesOf(events).map((mode) => mode[0])).toEqual([...modes]);
});

it('says that nothing changes by giving the same state back', () => {
  expect(nextBreaker(CLOSED, true, POLICY)).toBe(CLOSED);
});
