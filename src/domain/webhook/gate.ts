/** When an endpoint gets probes only, when it is switched off, and how many deliveries it may have at once. Pure. */

/** This many attempts in a row without a 2xx, and none for a while besides: the endpoint does not answer. */
const GATE_FAILURES = 20;
/** An endpoint is not switched off for fewer failures, however long ago its last success is. */
const DISABLE_FAILURES = 10;
/** Of the places of an endpoint this share serves what was tried before, first. */
const TRIED_SHARE = 0.2;

export interface EndpointHealth {
  /** Attempts since the last 2xx. */
  readonly failuresInRow: number;
  /** The first of them; null when the last attempt was a 2xx, or there was none. */
  readonly failingSinceMs: number | null;
  readonly lastSuccessAtMs: number | null;
}

/** True when an endpoint whose gate is open must be gated. */
export function mustGate(health: EndpointHealth, windowMs: number, nowMs: number): boolean {
  const { failuresInRow, lastSuccessAtMs } = health;
  return failuresInRow >= GATE_FAILURES && (lastSuccessAtMs === null || nowMs - lastSuccessAtMs >= windowMs);
}

/** True when an endpoint has failed for so long that nothing more is sent until somebody enables it again. */
export function mustDisable(health: EndpointHealth, afterMs: number, nowMs: number): boolean {
  const { failuresInRow, failingSinceMs } = health;
  return failuresInRow >= DISABLE_FAILURES && failingSinceMs !== null && nowMs - failingSinceMs >= afterMs;
}

/** How the places of an endpoint are shared: 8 of 10 serve the never tried first, 2 the tried; either takes what the other leaves. */
export function sharesOf(limit: number): { readonly fresh: number; readonly tried: number } {
  // Of two places one: what was tried must not wait for ever where the limit, or the ramp, is small.
  const tried = limit < 2 ? 0 : Math.max(1, Math.floor(limit * TRIED_SHARE));
  return { fresh: limit - tried, tried };
}
