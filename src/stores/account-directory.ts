/** Adapters by account id: credentials are read and opened once in a while, not before every call. */
import type { ChannelAccount } from '../domain/channel';
import type { FullAdapter } from '../domain/channel-payment';
import { loadAccount } from './channel-accounts';
import type { Queryable } from './postgres';
import type { SecretBox } from './secret-box';

/** Changed credentials are used this much later at most. */
const KEPT_MS = 5_000;

/** undefined: there is no such account. A disabled account is found: its holds are still captured and released. */
export type AccountDirectory = (accountId: string) => Promise<FullAdapter | undefined>;

export function createAccountDirectory(
  db: Queryable,
  box: SecretBox,
  adapterFor: (account: ChannelAccount) => FullAdapter,
): AccountDirectory {
  const kept = new Map<string, { adapter: FullAdapter; untilMs: number }>();
  return async (accountId) => {
    const known = kept.get(accountId);
    if (known !== undefined && Date.now() < known.untilMs) return known.adapter;
    const account = await loadAccount(db, box, accountId);
    if (account === undefined) return undefined;
    const adapter = adapterFor(account);
    kept.set(accountId, { adapter, untilMs: Date.now() + KEPT_MS });
    return adapter;
  };
}
