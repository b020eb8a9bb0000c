/**
 * Where a webhook may go, as far as it can be told without asking a name server: the URL's form, and literal
 * addresses. The same judgement of an address is used again for what a name resolves to at delivery.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Config } from '../config/config';

export interface WebhookUrlPolicy {
  /** https only. */
  readonly production: boolean;
  /** Networks that are allowed although they are not public, comma separated; empty for none. */
  readonly allowedCidrs: string;
  /** Ports that may not be named, by whatever scheme; none when absent. */
  readonly blockedPorts?: readonly number[];
}

/** The one rule of this installation, for creation, tests and deliveries alike. */
export function urlPolicyOf(
  config: Pick<Config, 'NODE_ENV' | 'WEBHOOK_ALLOWED_CIDRS' | 'WEBHOOK_BLOCKED_PORTS'>,
): WebhookUrlPolicy {
  return {
    production: config.NODE_ENV === 'production',
    allowedCidrs: config.WEBHOOK_ALLOWED_CIDRS,
    blockedPorts: config.WEBHOOK_BLOCKED_PORTS.split(',').filter(Boolean).map(Number),
  };
}

/** Why a URL is refused, for people; the codes are for programs and are never renamed. */
const REASONS = {
  TOO_LONG: 'it is longer than 500 characters',
  NOT_PRINTABLE_ASCII: 'it contains blanks or characters that are not printable ASCII',
  BACKSLASH: 'it contains a backslash',
  FRAGMENT: 'it has a fragment',
  SCHEME_NOT_ALLOWED: 'it does not begin with http:// or https://',
  NOT_A_URL: 'it is not a URL',
  HTTPS_REQUIRED: 'it is not https',
  CREDENTIALS: 'it contains credentials',
  PORT_BLOCKED: 'its port is not allowed',
  ADDRESS_NOT_PUBLIC: 'its address is not a public one',
} as const;
export type WebhookUrlProblem = keyof typeof REASONS;

export type WebhookUrlVerdict =
  | { readonly ok: true; readonly origin: string }
  | { readonly ok: false; readonly code: WebhookUrlProblem; readonly reason: string };

export const MAX_WEBHOOK_URL_CHARACTERS = 500;

/** Judges a URL a merchant gave us. `origin` is scheme, host and port in their normal form. */
export function checkWebhookUrl(url: string, policy: WebhookUrlPolicy): WebhookUrlVerdict {
  const problem = problemOfForm(url);
  if (problem !== undefined) return refuse(problem);
  return URL.canParse(url) ? checkParsedUrl(new URL(url), policy) : refuse('NOT_A_URL');
}

function refuse(code: WebhookUrlProblem): WebhookUrlVerdict {
  return { ok: false, code, reason: REASONS[code] };
}

// The URL parser forgives blanks, control characters and backslashes; what is stored must be what is later requested.
function problemOfForm(url: string): WebhookUrlProblem | undefined {
  if (url.length > MAX_WEBHOOK_URL_CHARACTERS) return 'TOO_LONG';
  if (!/^[\x21-\x7e]+$/.test(url)) return 'NOT_PRINTABLE_ASCII';
  if (url.includes('\\')) return 'BACKSLASH';
  if (url.includes('#')) return 'FRAGMENT';
  return /^https?:\/\//i.test(url) ? undefined : 'SCHEME_NOT_ALLOWED';
}

// What a name resolves to is checked when a connection is made (guarded-agent.ts).
function checkParsedUrl(url: URL, policy: WebhookUrlPolicy): WebhookUrlVerdict {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return refuse('SCHEME_NOT_ALLOWED');
  if (policy.production && url.protocol !== 'https:') return refuse('HTTPS_REQUIRED');
  if (url.username !== '' || url.password !== '') return refuse('CREDENTIALS');
  if (policy.blockedPorts?.includes(portOf(url)) === true) return refuse('PORT_BLOCKED');
  return isHostAllowed(url.hostname, policy)
    ? { ok: true, origin: url.origin }
    : refuse('ADDRESS_NOT_PUBLIC');
}

// The parser drops a port that is the scheme's own.
function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

function isHostAllowed(hostname: string, policy: WebhookUrlPolicy): boolean {
  // The parser has turned decimal, octal and hexadecimal forms of an IPv4 address into the dotted one.
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) return isAllowedAddress(host, policy);
  return !isLocalhost(host) || LOOPBACK_ADDRESSES.some((address) => isAllowedAddress(address, policy));
}

export const LOOPBACK_ADDRESSES: readonly string[] = ['127.0.0.1', '::1'];

/** Names that mean this machine whatever a name server says (RFC 6761). */
export function isLocalhost(hostname: string): boolean {
  const name = hostname.replace(/\.$/, '').toLowerCase();
  return name === 'localhost' || name.endsWith('.localhost');
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

// Looks public, and is the host's own agent inside Azure.
const AZURE_WIRE_SERVER = '168.63.129.16';

/** 6to4, Teredo and the like, which carry an IPv4 address that nobody has judged, are ranges of their own. */
function isPublicUnicast(address: Address): boolean {
  if (address.range() !== 'unicast' || address.toString() === AZURE_WIRE_SERVER) return false;
  return address instanceof ipaddr.IPv4 || address.match(GLOBAL_UNICAST);
}

type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Asked at every delivery, so each text is read once; there are as many as there are settings. */
const networksRead = new Map<string, readonly Network[]>();

/** A network that cannot be read allows nothing. */
function networksOf(cidrs: string): readonly Network[] {
  const known = networksRead.get(cidrs);
  if (known !== undefined) return known;
  const networks = cidrs
    .split(',')
    .map((cidr) => cidr.trim())
    .filter((cidr) => ipaddr.isValidCIDR(cidr))
    .map((cidr) => ipaddr.parseCIDR(cidr));
  networksRead.set(cidrs, networks);
  return networks;
}

function isInside(address: Address, cidrs: string): boolean {
  return networksOf(cidrs).some(([network, bits]) => {
    if (address instanceof ipaddr.IPv4) return network instanceof ipaddr.IPv4 && address.match(network, bits);
    return network instanceof ipaddr.IPv6 && address.match(network, bits);
  });
}
