/** Learned routing: the draws themselves, and a simulation in which it does better than plain success rates. */
import { scoreViewOf } from '../../../src/domain/routing/scores';
import type { ScoreRow } from '../../../src/domain/routing/scores';
import { sampleBeta } from '../../../src/domain/routing/thompson';
import type { LearningMode } from '../../../src/domain/routing/types';
import { seededRandom } from '../../../dev/seeded-random';
import { calls, channel, compiled, route } from './fixtures';

const DRAWS = 20_000;

test.each([
  [1, 1],
  [3, 1],
  [10, 40],
  [980, 20],
])('Beta(%d, %d) has the mean and the variance it must have', (alpha, beta) => {
  const random = seededRandom(alpha * 1_000 + beta);
  const draws = Array.from({ length: DRAWS }, () => sampleBeta(alpha, beta, random));
  const mean = draws.reduce((sum, draw) => sum + draw, 0) / DRAWS;
  const variance = draws.reduce((sum, draw) => sum + (draw - mean) ** 2, 0) / DRAWS;
  const total = alpha + beta;
  const expected = (alpha * beta) / (total ** 2 * (total + 1));
  expect(Math.abs(mean - alpha / total)).toBeLessThan(5 * Math.sqrt(expected / DRAWS));
  expect(variance / expected).toBeGreaterThan(0.9);
  expect(variance / expected).toBeLessThan(1.1);
  expect(draws.every((draw) => draw > 0 && draw < 1)).toBe(true);
});

/** What each channel truly achieves. */
const TRUTH: Readonly<Record<string, number>> = { a: 0.8, b: 0.85, c: 0.97, d: 0.7 };
const ORDERS = 6_000;

/** Routes orders one by one, each outcome known before the next. @returns how many succeeded, and the way of the first ones */
function simulate(learning: LearningMode, seed: number): { successes: number; way: string } {
  const random = seededRandom(seed);
  const outcomes = seededRandom(seed + 1_000);
  const config = compiled(
    Object.keys(TRUTH).map((id) => channel(id)),
    {},
    { mode: 'success', learning, explorationShare: 0.05 },
  );
  const rows = new Map<string, ScoreRow>();
  let way = '';
  let successes = 0;
  for (let n = 0; n < ORDERS; n++) {
    const { channel: id } = route(config, { number: `${seed}-${n}` }, { scores: scoreViewOf(rows.values()), random });
    const succeeded = outcomes() < (TRUTH[id] ?? 0);
    const row = rows.get(id) ?? calls(id, 0, 0);
    rows.set(id, { ...row, successes: row.successes + (succeeded ? 1 : 0), faults: row.faults + (succeeded ? 0 : 1) });
    if (succeeded) successes++;
    if (n < 300) way += id;
  }
  return { successes, way };
} // prettier-ignore

test('Thompson sampling does better than plain success rates, with every seed', () => {
  const best = 0.97 * ORDERS;
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const plain = simulate('off', seed).successes;
    const learned = simulate('thompson', seed).successes;
    expect(learned).toBeGreaterThan(plain);
    // Regret: what the best channel alone would have brought besides.
    expect(best - learned).toBeLessThan(0.7 * (best - plain));
  }
});

test('it is reproducible from its seed', () => {
  expect(simulate('thompson', 9)).toEqual(simulate('thompson', 9));
  expect(simulate('thompson', 9).way).not.toBe(simulate('thompson', 10).way);
});

test('the decision says that rates were drawn, and explores no further', () => {
  const config = compiled([channel('a'), channel('b')], {}, { learning: 'thompson', explorationShare: 1 });
  const scores = scoreViewOf([calls('a', 1_000, 0), calls('b', 500, 500)]);
  const decision = route(config, {}, { scores, random: seededRandom(5) });
  expect(decision).toMatchObject({ channel: 'a', decidedBy: 'success' });
  expect(decision.reason).toBe('a has the best success rate of those drawn');
  expect(decision.explored).toBeUndefined();
});
