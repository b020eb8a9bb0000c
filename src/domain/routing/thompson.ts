/** Draws from a Beta distribution, for Thompson sampling. All chance comes from the generator that is handed in. */

/**
 * One draw from Beta(alpha, beta).
 * @param alpha at least 1, e.g. successes + 1
 * @param beta at least 1, e.g. faults + 1
 * @param random uniform in [0, 1)
 * @returns 0 to 1
 */
export function sampleBeta(alpha: number, beta: number, random: () => number): number {
  const x = sampleGamma(alpha, random);
  const y = sampleGamma(beta, random);
  return x / (x + y);
}

/** Marsaglia and Tsang (2000): exact for a shape of at least 1, and rejects fewer than one draw in twenty. */
function sampleGamma(shape: number, random: () => number): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = sampleNormal(random);
    const cube = (1 + c * normal) ** 3;
    if (cube <= 0) continue;
    if (Math.log(1 - random()) < normal ** 2 / 2 + d - d * cube + d * Math.log(cube)) return d * cube;
  }
}

/** Box and Muller. 1 - random() is never 0. */
function sampleNormal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
