/** Adapters by account id: credentials are read and opened once in a while, not before every call. */
import type { ChannelAccount } from '../domain/channel';
import type { FullAdapter } from '../domain/channel-payment';
import { accountIds, loadAccount } from './channel-accounts';
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

/** Ids that are asked for and not known make us ask for all there are, this often at most. */
const IDS_KEPT_MS = 10_000;

/** undefined: there is no such account. A disabled account is found: its holds are still captured and released. */
export type AccountDirectory = (accountId: string) => Promise<FullAdapter | undefined>;

export interface OpenAccountDirectory extends AccountDirectory {
  /**
   * Whether there is such an account, by what this process knows: it asks nobody, but an id that it does not know has it load
   * the ids of all, now and then. Until they are here for the first time every id passes for known: a process that
   * has just been started must not send channels away.
   */
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
  const ids = createKnownIds(db);
  return Object.assign(directory, {
    isKnown: (accountId: string) => kept.has(accountId) || ids.has(accountId),
  });
}

/** Ids of accounts, disabled ones included: none is ever deleted, so that one which is known stays known. */
function createKnownIds(db: Queryable): { has(accountId: string): boolean } {
  let ids: ReadonlySet<string> | undefined;
  let askedAtMs = -Infinity;

  async function load(): Promise<void> {
    const loaded = await accountIds(db).catch(() => undefined);
    // Without the database nobody new passes for known: it is asked again later.
    ids = loaded === undefined ? (ids ?? new Set()) : new Set(loaded);
  }

  return {
    has(accountId) {
      if (ids?.has(accountId) === true) return true;
      if (Date.now() - askedAtMs >= IDS_KEPT_MS) {
        askedAtMs = Date.now();
        void load();
      }
      return ids === undefined;
    },
  };
}
