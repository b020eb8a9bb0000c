/** Who is calling: `Authorization: Bearer`, with a merchant's API key, an operator's, or the admin key of the environment. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { ROOT_NAME } from '../domain/admin-role';
import { ADMIN_KEY, findAdminKey } from '../stores/admin-keys';
import { API_KEY, findKeyOwner, hashApiKey } from '../stores/api-keys';
import type { Queryable } from '../stores/postgres';
import type { AdminCaller, MerchantCaller } from './route';

/** A revoked key stops working this much later at most. */
const CACHE_TTL_MS = 5_000;
const CACHE_MAX_ENTRIES = 10_000;

/** undefined: the header names nobody. */
type Named = MerchantCaller | AdminCaller | undefined;

/** A promise only where the database is asked: a key that is remembered is answered at once. */
export type Authenticate = (authorization: string | undefined) => Named | Promise<Named>;

export interface AuthDeps {
  readonly db: Queryable;
  readonly adminKey: string;
  readonly nowMs?: () => number;
}

const ROOT: AdminCaller = { kind: 'admin', name: ROOT_NAME, role: 'admin', keyId: null };

export function createAuthenticate({ db, adminKey, nowMs = Date.now }: AuthDeps): Authenticate {
  const adminDigest = digestOf(adminKey);
  const adminKeyIsLikeOne = API_KEY.test(adminKey);
  const cache = new Map<string, { caller: MerchantCaller | AdminCaller; untilMs: number }>();

  async function ask(hash: Buffer, cacheKey: string, isMerchants: boolean): Promise<Named> {
    const askedAtMs = nowMs();
    // Only keys that exist are remembered: made-up ones must not push them out, and a new key works at once.
    const caller = isMerchants ? await merchantOf(db, hash) : await operatorOf(db, hash);
    if (caller === undefined) return undefined;
    if (cache.size >= CACHE_MAX_ENTRIES) dropOldest(cache);
    cache.set(cacheKey, { caller, untilMs: askedAtMs + CACHE_TTL_MS });
    return caller;
  }

  return (authorization) => {
    const key = /^Bearer +(\S{1,200})$/i.exec(authorization ?? '')?.[1];
    if (key === undefined) return undefined;
    const isMerchants = API_KEY.test(key);
    // An admin key that looks like a merchant's is compared all the same; else a merchant's is hashed once only.
    if ((!isMerchants || adminKeyIsLikeOne) && timingSafeEqual(digestOf(key), adminDigest)) return ROOT;
    if (!isMerchants && !ADMIN_KEY.test(key)) return undefined;
    const hash = hashApiKey(key);
    const cacheKey = hash.toString('base64');
    const cached = cache.get(cacheKey);
    if (cached !== undefined && nowMs() < cached.untilMs) return cached.caller;
    cache.delete(cacheKey);
    return ask(hash, cacheKey, isMerchants);
  };
}

async function merchantOf(db: Queryable, hash: Buffer): Promise<MerchantCaller | undefined> {
  const owner = await findKeyOwner(db, hash);
  return owner && { kind: 'merchant', ...owner };
}

async function operatorOf(db: Queryable, hash: Buffer): Promise<AdminCaller | undefined> {
  const owner = await findAdminKey(db, hash);
  return owner && { kind: 'admin', ...owner };
}

function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** A Map lists its entries in the order they were put in. */
function dropOldest(cache: Map<string, unknown>): void {
  const oldest = cache.keys().next();
  if (oldest.done !== true) cache.delete(oldest.value);
}
