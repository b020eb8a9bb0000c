/**
 * The way out for webhooks: an undici agent that connects only to addresses it has checked itself. The check sits in
 * the name resolution of the connection, so that between check and use there is nothing a name server could change.
 */
import type { LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { Agent } from 'undici';
import { isAllowedAddress, isLocalhost, LOOPBACK_ADDRESSES } from './ssrf-guard';
import type { WebhookUrlPolicy } from './ssrf-guard';

/** One of the addresses is not allowed; all are refused, since a mix is how a rebinding attack looks. */
class AddressNotAllowedError extends Error {
  readonly code = 'ADDRESS_NOT_ALLOWED';
}

class NameNotResolvedError extends Error {
  readonly code = 'DNS_FAILED';
}

/** Every address of a name, IPv4 and IPv6. Rejects, or answers none, when there is none. */
export type ResolveName = (hostname: string) => Promise<readonly string[]>;

export interface GuardedAgentSettings {
  readonly urlPolicy: Pick<WebhookUrlPolicy, 'allowedCidrs'>;
  /** Name, connection and TLS together; default 10 s. */
  readonly connectTimeoutMs?: number;
  readonly resolveName?: ResolveName;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** How long one address of several has before the next is tried; Node's 250 ms fail receivers far away. */
const ADDRESS_ATTEMPT_TIMEOUT_MS = 2_000;
/** Below the 5 s after which many servers close an idle connection, so that we seldom send into a closing one. */
const KEEP_ALIVE_MS = 4_000;
const KEEP_ALIVE_MAX_MS = 15_000;
/** A busy connection is replaced, so that a name that has moved is followed. */
const CONNECTION_LIFE_MS = 300_000;
const MAX_RESPONSE_HEADER_BYTES = 16 * 1024;

/**
 * Connections per receiver are not limited here but by the leases of its endpoint. undici's own clocks are off: one
 * timer per attempt bounds the whole exchange (attempt.ts), which also stops a slow drip. Literal addresses never
 * reach the lookup, so whoever uses this agent checks the URL first. Close it when done.
 */
export function createGuardedAgent(settings: GuardedAgentSettings): Agent {
  return new Agent({
    connect: {
      lookup: guardedLookup(settings.resolveName ?? createResolver(), settings.urlPolicy),
      timeout: settings.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_TIMEOUT_MS,
    },
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
    clientTtl: CONNECTION_LIFE_MS,
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

function guardedLookup(
  resolveName: ResolveName,
  policy: Pick<WebhookUrlPolicy, 'allowedCidrs'>,
): LookupFunction {
  const inFlight = new Map<string, Promise<LookupAddress[]>>();
  // A burst opens many connections to one name at once: one question serves them all.
  const resolveShared = (hostname: string) => {
    const running = inFlight.get(hostname);
    if (running !== undefined) return running;
    const started = resolveChecked(hostname, resolveName, policy).finally(() => inFlight.delete(hostname));
    inFlight.set(hostname, started);
    return started;
  };
  return (hostname, options, callback) => {
    resolveShared(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (options.all === true) callback(null, addresses);
        else if (first !== undefined) callback(null, first.address, first.family);
      },
      (error: Error) => callback(error, ''),
    );
  };
}

/** @returns at least one address, every one of them checked */
async function resolveChecked(
  hostname: string,
  resolveName: ResolveName,
  policy: Pick<WebhookUrlPolicy, 'allowedCidrs'>,
): Promise<LookupAddress[]> {
  if (isLocalhost(hostname)) return checkedLoopback(hostname, policy);
  const addresses = await resolveName(hostname).catch((cause: unknown) => {
    throw new NameNotResolvedError(`${hostname} has no address`, { cause });
  });
  if (addresses.length === 0) throw new NameNotResolvedError(`${hostname} has no address`);
  const refused = addresses.find((address) => !isAllowedAddress(address, policy));
  if (refused !== undefined) throw new AddressNotAllowedError(`${hostname} resolves to ${refused}`);
  return addresses.map(toLookupAddress);
}

/** No name server is asked about this machine, and an allow-list with one of its two addresses is enough. */
function checkedLoopback(hostname: string, policy: Pick<WebhookUrlPolicy, 'allowedCidrs'>): LookupAddress[] {
  const allowed = LOOPBACK_ADDRESSES.filter((address) => isAllowedAddress(address, policy));
  if (allowed.length === 0) throw new AddressNotAllowedError(`${hostname} is this machine`);
  return allowed.map(toLookupAddress);
}

function toLookupAddress(address: string): LookupAddress {
  return { address, family: isIP(address) };
}

const DNS_TIMEOUT_MS = 2_000;
const DNS_TRIES = 2;

/**
 * Asks the name servers itself instead of `dns.lookup`, which blocks one of the process's four pool threads for as
 * long as a name server likes: a few names with a dead server would hold up the deliveries of everybody. The hosts
 * file is not read therefore.
 * @param servers name servers as `address:port`; default: the system's
 */
export function createResolver(servers?: readonly string[]): ResolveName {
  const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES });
  if (servers !== undefined) resolver.setServers(servers);
  return async (hostname) => {
    const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (addresses.length === 0 && failed !== undefined) throw failed.reason;
    return addresses;
  };
}
