/** Adapters by account id: credentials are read and opened once in a while, not before every call. */
import type { ChannelAccount, ChannelAdapter } from '../domain/channel';
import { loadAccount } from '../stores/channel-accounts';
import type { Queryable } from '../stores/postgres';
import type { SecretBox } from '../stores/secret-box';

/** Changed credentials are used this much later at most. */
const KEPT_MS = 5_000;

export function createAccountDirectory(
  db: Queryable,
  box: SecretBox,
  adapterFor: (account: ChannelAccount) => ChannelAdapter,
): (accountId: string) => Promise<ChannelAdapter> {
  const kept = new Map<string, { adapter: ChannelAdapter; untilMs: number }>();
  return async (accountId) => {
    const known = kept.get(accountId);
    if (known !== undefined && Date.now() < known.untilMs) return known.adapter;
    const account = await loadAccount(db, box, accountId);
    if (account === undefined) throw new Error(`there is no channel account ${accountId}`);
    const adapter = adapterFor(account);
    kept.set(accountId, { adapter, untilMs: Date.now() + KEPT_MS });
    return adapter;
  };
}
