import fc from 'fast-check';
import { CALM, isShed, nextLoad } from '../../../src/domain/limits/load';
import type { LoadSample, LoadState, Priority } from '../../../src/domain/limits/load';

const POLICY = { loopDelayMs: 100, inFlight: 1_000 };
const QUIET: LoadSample = { loopDelayMs: 0, inFlight: 0 };

const after = (times: number, sample: LoadSample, from: LoadState = CALM) => {
  let state = from;
  for (let n = 0; n < times; n += 1) state = nextLoad(state, sample, POLICY);
  return state;
};
/** A state that has had this sample for so long that it goes no further. */
const settled = (sample: LoadSample, from: LoadState = CALM) => after(200, sample, from);

describe('what lasts', () => {
  test.each<[LoadSample, number, LoadState['shed']]>([
    [{ loopDelayMs: 0, inFlight: 0 }, 100, 'none'],
    [{ loopDelayMs: 100, inFlight: 0 }, 100, 'none'],
    [{ loopDelayMs: 150, inFlight: 0 }, 75, 'none'],
    [{ loopDelayMs: 0, inFlight: 1_500 }, 75, 'none'],
    [{ loopDelayMs: 150, inFlight: 1_200 }, 75, 'none'],
    [{ loopDelayMs: 200, inFlight: 0 }, 50, 'none'],
    [{ loopDelayMs: 290, inFlight: 0 }, 50, 'none'],
    [{ loopDelayMs: 310, inFlight: 0 }, 50, 'read'],
    [{ loopDelayMs: 0, inFlight: 3_100 }, 50, 'read'],
    [{ loopDelayMs: 390, inFlight: 0 }, 50, 'read'],
    [{ loopDelayMs: 410, inFlight: 0 }, 50, 'create'],
    [{ loopDelayMs: 60_000, inFlight: 60_000 }, 50, 'create'],
  ])('%j: tiers at %i %%, refused: %s', (sample, scalePercent, shed) => {
    expect(settled(sample)).toMatchObject({ scalePercent, shed });
  });
});

describe('what does not last', () => {
  it('is hardly noticed: one pause of ten seconds refuses nothing', () => {
    const state = after(1, { loopDelayMs: 10_000, inFlight: 0 });
    expect(state.shed).toBe('none');
    expect(state.scalePercent).toBeGreaterThanOrEqual(75);
    expect(after(4, QUIET, state).scalePercent).toBe(100);
  });

  it('is noticed within two seconds when it goes on', () => {
    expect(after(8, { loopDelayMs: 1_000, inFlight: 0 }).shed).toBe('create');
  });
});

it('takes what it refused only when there is clearly less to do', () => {
  const refusing = settled({ loopDelayMs: 310, inFlight: 0 });
  expect(settled({ loopDelayMs: 260, inFlight: 0 }, refusing).shed).toBe('read');
  expect(settled({ loopDelayMs: 230, inFlight: 0 }, refusing).shed).toBe('none');
  const refusingAll = settled({ loopDelayMs: 500, inFlight: 0 });
  expect(settled({ loopDelayMs: 330, inFlight: 0 }, refusingAll).shed).toBe('create');
  expect(settled({ loopDelayMs: 310, inFlight: 0 }, refusingAll).shed).toBe('read');
});

it('never refuses before the tiers are at their half, whatever comes, and always calms down', () => {
  const sample = fc.record({
    loopDelayMs: fc.double({ min: 0, max: 100_000, noNaN: true }),
    inFlight: fc.nat(100_000),
  });
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 50 }), (samples) => {
      let state = CALM;
      for (const one of samples) {
        state = nextLoad(state, one, POLICY);
        expect(state.scalePercent).toBeGreaterThanOrEqual(50);
        expect(state.scalePercent).toBeLessThanOrEqual(100);
        if (state.shed !== 'none') expect(state.scalePercent).toBe(50);
      }
      expect(settled(QUIET, state)).toMatchObject({ scalePercent: 100, shed: 'none' });
    }),
  );
});

test.each<[LoadState['shed'], Record<Priority, boolean>]>([
  ['none', { exempt: false, finish: false, create: false, read: false }],
  ['read', { exempt: false, finish: false, create: false, read: true }],
  ['create', { exempt: false, finish: false, create: true, read: true }],
])('level %s refuses %j', (shed, refused) => {
  for (const [priority, expected] of Object.entries(refused)) {
    expect(isShed(shed, priority as Priority)).toBe(expected);
  }
});
