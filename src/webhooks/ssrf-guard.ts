/**
 * Where a webhook may go, as far as it can be told without asking a name server: the URL's form, and literal
 * addresses. The same judgement of an address is used again for what a name resolves to at delivery.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export interface WebhookUrlPolicy {
  /** https only. */
  readonly production: boolean;
  /** Networks that are allowed although they are not public, comma separated; empty for none. */
  readonly allowedCidrs: string;
}

export type WebhookUrlVerdict =
  { readonly ok: true; readonly origin: string } | { readonly ok: false; readonly reason: string };

export const MAX_WEBHOOK_URL_CHARACTERS = 500;

/** Judges a URL a merchant gave us. `origin` is scheme, host and port in their normal form. */
export function checkWebhookUrl(url: string, policy: WebhookUrlPolicy): WebhookUrlVerdict {
  const formProblem = problemOfForm(url);
  if (formProblem !== undefined) return { ok: false, reason: formProblem };
  if (!URL.canParse(url)) return { ok: false, reason: 'it is not a URL' };
  const parsed = new URL(url);
  const reason = problemOfUrl(parsed, policy);
  return reason === undefined ? { ok: true, origin: parsed.origin } : { ok: false, reason };
}

// The URL parser forgives blanks, control characters and backslashes; what is stored must be what is later requested.
function problemOfForm(url: string): string | undefined {
  if (url.length > MAX_WEBHOOK_URL_CHARACTERS)
    return `it is longer than ${MAX_WEBHOOK_URL_CHARACTERS} characters`;
  if (!/^[\x21-\x7e]+$/.test(url)) return 'it contains blanks or characters that are not printable ASCII';
  if (url.includes('\\')) return 'it contains a backslash';
  if (url.includes('#')) return 'it has a fragment';
  return /^https?:\/\//i.test(url) ? undefined : 'it does not begin with http:// or https://';
}

function problemOfUrl(url: URL, policy: WebhookUrlPolicy): string | undefined {
  if (policy.production && url.protocol !== 'https:') return 'it is not https';
  if (url.username !== '' || url.password !== '') return 'it contains credentials';
  // The parser has turned decimal, octal and hexadecimal forms of an IPv4 address into the dotted one.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) {
    return isAllowedAddress(host, policy) ? undefined : 'its address is not a public one';
  }
  const name = host.replace(/\.$/, '').toLowerCase();
  if (name !== 'localhost' && !name.endsWith('.localhost')) return undefined;
  const loopback = ['127.0.0.1', '::1'].some((address) => isAllowedAddress(address, policy));
  return loopback ? undefined : 'its address is not a public one';
}

/**
 * Whether a webhook may be sent to this literal address: public unicast, or inside an allowed network. An IPv4
 * address inside an IPv6 one (mapped, NAT64) is judged as the IPv4 address it reaches. Not an address: false.
 */
export function isAllowedAddress(address: string, policy: Pick<WebhookUrlPolicy, 'allowedCidrs'>): boolean {
  if (isIP(address) === 0) return false;
  const target = unwrap(ipaddr.parse(address));
  return isPublicUnicast(target) || isInside(target, policy.allowedCidrs);
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

const NAT64_PREFIX = ipaddr.parseCIDR('64:ff9b::/96') as [ipaddr.IPv6, number];
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3') as [ipaddr.IPv6, number];

function unwrap(address: Address): Address {
  if (address instanceof ipaddr.IPv4) return address;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  if (!address.match(NAT64_PREFIX)) return address;
  return new ipaddr.IPv4(address.toByteArray().slice(12));
}

function isPublicUnicast(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  return address instanceof ipaddr.IPv4 || address.match(GLOBAL_UNICAST);
}

/** A network that cannot be read allows nothing. */
function isInside(address: Address, cidrs: string): boolean {
  return cidrs
    .split(',')
    .map((cidr) => cidr.trim())
    .filter((cidr) => ipaddr.isValidCIDR(cidr))
    .some((cidr) => {
      const [network, bits] = ipaddr.parseCIDR(cidr);
      if (address instanceof ipaddr.IPv4)
        return network instanceof ipaddr.IPv4 && address.match(network, bits);
      return network instanceof ipaddr.IPv6 && address.match(network, bits);
    });
}
