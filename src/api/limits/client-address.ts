/** Whose request it is by its network address; a proxy of ours is believed, nobody else. */
import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import type { IPv4, IPv6 } from 'ipaddr.js';

/** More proxies than this in a row are nobody's. */
const MAX_HOPS = 20;
/** What one customer of a provider is given: counting single addresses would count nothing. */
const IPV6_PREFIX_BYTES = 8;

type Hop = Pick<IncomingMessage, 'headers'> & {
  readonly socket: { readonly remoteAddress?: string | undefined };
};

/** @returns the address as text, an IPv6 one as its /64; undefined: not known, or a trusted proxy's own request */
export type AddressOf = (req: Hop) => string | undefined;

/** @param trustedProxies networks as CIDR */
export function createAddressOf(trustedProxies: readonly string[]): AddressOf {
  const networks = trustedProxies.map((text) => ipaddr.parseCIDR(text));
  const isTrusted = (address: IPv4 | IPv6) =>
    networks.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
  return ({ headers, socket }) => {
    const peer = parsed(socket.remoteAddress);
    if (peer === undefined) return undefined;
    if (!isTrusted(peer)) return textOf(peer);
    // The nearest proxy wrote the last entry; what stands before the first that is not ours, anybody may have written.
    const hops = String(headers['x-forwarded-for'] ?? '').split(',');
    for (const hop of hops.reverse().slice(0, MAX_HOPS)) {
      const address = parsed(hop.trim());
      if (address === undefined) return undefined;
      if (!isTrusted(address)) return textOf(address);
    }
    return undefined;
  };
}

/** An IPv4 address that came as IPv6 is an IPv4 address. */
function parsed(text: string | undefined): IPv4 | IPv6 | undefined {
  return text !== undefined && ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
}

function textOf(address: IPv4 | IPv6): string {
  if (address.kind() === 'ipv4') return address.toString();
  const prefix = address.toByteArray().slice(0, IPV6_PREFIX_BYTES);
  return `${Buffer.from(prefix).toString('hex')}/64`;
}
