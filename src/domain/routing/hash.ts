/** A pure hash for sharing out: the same number always goes the same way, on every process and after every restart. */

/** FNV-1a over the UTF-16 code units. @returns an unsigned 32-bit integer */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/**
 * The score of one of several in weighted rendezvous hashing: the highest takes the key, and each takes as many keys as its
 * weight says. It hangs on nobody else, so that one that leaves hands on its own keys and moves no other.
 * @param keyHash hash of what is shared out
 * @param nodeHash hash of who may take it
 * @param weight 0: takes nothing
 * @returns 0 or more
 */
export function rendezvousScore(keyHash: number, nodeHash: number, weight: number): number {
  if (weight <= 0) return 0;
  // Half a step keeps it off 0 and 1, where the logarithm has no use.
  const uniform = (mix(keyHash ^ mix(nodeHash)) + 0.5) / 4_294_967_296;
  return weight / -Math.log(uniform);
}

/** The finaliser of MurmurHash3: every bit of the input moves every bit of the output. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
