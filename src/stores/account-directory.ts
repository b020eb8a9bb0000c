/** Adapters by account id: credentials are read and opened once in a while, not before every call. */
import type { ChannelAccount } from '../domain/channel';
import type { FullAdapter } from '../domain/channel-payment';
import { loadAccount } from './channel-accounts';
import type { Queryable } from './postgres';
import type { SecretBox } from './secret-box';

/** Changed credentials are used this much later at most. */
const KEPT_MS = 5_000;

/**
 * For so long nobody is asked again about an account that there was none of. Ids are made by us: one that is asked for before
 * there is such an account was guessed, so a new account works at once.
 */
const UNKNOWN_KEPT_MS = 2_000;
const MAX_UNKNOWN = 10_000;

/** undefined: there is no such account. A disabled account is found: its holds are still captured and released. */
export type AccountDirectory = (accountId: string) => Promise<FullAdapter | undefined>;

export interface OpenAccountDirectory extends AccountDirectory {
  /** Whether this process has met the account before. Asks nobody. */
  isKnown(accountId: string): boolean;
}

export function createAccountDirectory(
  db: Queryable,
  box: SecretBox,
  adapterFor: (account: ChannelAccount) => FullAdapter,
): OpenAccountDirectory {
  const kept = new Map<string, { adapter: FullAdapter; untilMs: number }>();
  /** Until when. Only for ids that were never found: whoever makes some up must not make us ask for each. */
  const unknown = new Map<string, number>();

  function keepUnknown(accountId: string): void {
    unknown.delete(accountId);
    // A Map lists its entries in the order in which they were put in.
    const [oldest] = unknown.size < MAX_UNKNOWN ? [] : unknown.keys();
    if (oldest !== undefined) unknown.delete(oldest);
    unknown.set(accountId, Date.now() + UNKNOWN_KEPT_MS);
  }

  const directory = async (accountId: string): Promise<FullAdapter | undefined> => {
    const known = kept.get(accountId);
    if (known !== undefined && Date.now() < known.untilMs) return known.adapter;
    if (Date.now() < (unknown.get(accountId) ?? 0)) return undefined;
    const account = await loadAccount(db, box, accountId);
    if (account === undefined) {
      keepUnknown(accountId);
      return undefined;
    }
    const adapter = adapterFor(account);
    kept.set(accountId, { adapter, untilMs: Date.now() + KEPT_MS });
    return adapter;
  };
  return Object.assign(directory, { isKnown: (accountId: string) => kept.has(accountId) });
}
