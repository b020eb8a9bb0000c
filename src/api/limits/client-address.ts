/** Whose request it is by its network address; a proxy of ours is believed, nobody else. */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { IPv4, IPv6 } from 'ipaddr.js';

/** More proxies than this in a row are nobody's. */
const MAX_HOPS = 20;
/** What one customer of a provider is given: counting single addresses would count nothing. */
const IPV6_PREFIX_BYTES = 8;

type Hop = Pick<IncomingMessage, 'headers'> & {
  readonly socket: { readonly remoteAddress?: string | undefined };
};

/**
 * @returns the address as text, an IPv6 one as its /64; where a trusted proxy passes on what is no address, the proxy's own.
 * undefined: not known, or a trusted proxy's own request
 */
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
    if (hops.every((hop) => hop.trim() === '')) return undefined;
    for (const hop of hops.reverse().slice(0, MAX_HOPS)) {
      const address = parsed(withoutPort(hop.trim()));
      // Not nobody's, or whoever gets a proxy to pass nonsense on would not be counted at all.
      if (address === undefined) return textOf(peer);
      if (!isTrusted(address)) return textOf(address);
    }
    return undefined;
  };
}

/** Some proxies write the port too: `203.0.113.7:50312`, `[2001:db8::1]:50312`. */
const WITH_PORT = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d{1,5})?$/;

function withoutPort(hop: string): string {
  const [, bracketed, dotted] = WITH_PORT.exec(hop) ?? [];
  return bracketed ?? dotted ?? hop;
}

/** An IPv4 address that came as IPv6 is an IPv4 address. What only looks like one (`1`, `0x7f.1`) is none. */
function parsed(text: string | undefined): IPv4 | IPv6 | undefined {
  return text !== undefined && isIP(text) !== 0 && ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
}

function textOf(address: IPv4 | IPv6): string {
  if (address.kind() === 'ipv4') return address.toString();
  const prefix = address.toByteArray().slice(0, IPV6_PREFIX_BYTES);
  return `${Buffer.from(prefix).toString('hex')}/64`;
}
