/** What an operator has stopped takes nothing new: a merchant that is suspended, an account that is switched off. */
import type { ChannelName } from '../domain/channel';
import { fail } from '../domain/errors';
import type { ChosenAccount } from '../routing/choose';
import type { MerchantCaller } from './route';

/** What this process knows of the merchant is 5 seconds old at most. @throws HoldfastError MERCHANT_SUSPENDED */
export function assertActive({ status }: Pick<MerchantCaller, 'status'>): void {
  if (status === 'suspended') throw fail('MERCHANT_SUSPENDED');
}

/** @throws HoldfastError CHANNEL_NOT_AVAILABLE, CHANNEL_SWITCHED_OFF */
export function assertTakesNew(channel: ChannelName, account: ChosenAccount | undefined): ChosenAccount {
  if (account === undefined) throw fail('CHANNEL_NOT_AVAILABLE', { channel });
  if (account.switchedOff === true) throw fail('CHANNEL_SWITCHED_OFF', { channel });
  return account;
}
