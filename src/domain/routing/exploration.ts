/** Now and then another channel than the best is tried, so that its score does not grow stale. */

/**
 * @param share 0 to 1 of the decisions
 * @param count how many channels are eligible, the best among them
 * @param random one number, uniform in [0, 1)
 * @returns the place, from 1, of the channel to try in the ranked list; 0: the best
 */
export function explore(share: number, count: number, random: number): number {
  if (count < 2 || random >= share) return 0;
  // Below the share the number is uniform again, so one draw says both whether and which.
  return 1 + Math.min(count - 2, Math.floor((random / share) * (count - 1)));
}
