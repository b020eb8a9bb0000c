/** Whether a channel can take a request at all; asked before any score. Each no has a code and a sentence. */
import type { ChannelContract } from '../channel';
import { formatMoney } from '../money';
import type { Accounts, CompiledChannel } from './config';
import type { Exclusion, ExclusionCode, RoutingContext, RoutingRequest } from './types';

const NO_CONTRACT: ChannelContract = {};

/** What the channel can do here, whatever its health. `named`: a rule names it, so that it need not be automatic. */
export interface EligibilityQuestion {
  readonly request: RoutingRequest;
  readonly accounts: Accounts | undefined;
  readonly canExpress: RoutingContext['canExpress'];
  readonly named: boolean;
}

/** The first reason why the channel cannot take the request, or undefined. Health is judged apart (evaluate.ts). */
export function exclusionOf(channel: CompiledChannel, question: EligibilityQuestion): Exclusion | undefined {
  const { request, accounts } = question;
  const { id, settings } = channel;
  const isListed = request.allowedChannels?.includes(id);
  if (!settings.enabled) return no('disabled', 'it is switched off');
  if (!settings.automatic && !question.named && isListed !== true)
    return no('not_automatic', 'it is used only when the request or a rule names it');
  if (isListed === false) return no('not_allowed', 'the request does not list it');
  const account = accounts?.get(id);
  if (accounts !== undefined && account === undefined)
    return no('no_account', 'the merchant has no account there');
  if (account?.switchedOff === true) return no('account_switched_off', 'the account there is switched off');
  const contract = account?.contract ?? NO_CONTRACT;
  return (
    capabilityExclusion(channel, request, contract) ??
    placeExclusion(channel, request, contract) ??
    amountExclusion(channel, question, contract)
  );
}

function capabilityExclusion(
  { settings }: CompiledChannel,
  { operation, needsMultipleCaptures }: RoutingRequest,
  contract: ChannelContract,
): Exclusion | undefined {
  if (operation !== 'pre_auth') return undefined;
  if (!settings.preAuth && contract.preAuth !== true)
    return no('pre_auth_not_supported', 'it holds no money');
  if (needsMultipleCaptures === true && !settings.multipleCaptures && contract.multipleCaptures !== true)
    return no('multiple_captures_not_supported', 'it captures a hold only once');
  return undefined;
}

function placeExclusion(
  { currencies, countries }: CompiledChannel,
  { currency, country }: RoutingRequest,
  contract: ChannelContract,
): Exclusion | undefined {
  if (currencies?.has(currency) === false && contract.currencies?.includes(currency) !== true)
    return no('currency_not_supported', `it does not take ${currency}`);
  if (country !== undefined && countries?.has(country.code) === false)
    return no('country_not_supported', `it does not take customers of ${country.code}`);
  return undefined;
}

function amountExclusion(
  { id, amounts }: CompiledChannel,
  { request, canExpress }: EligibilityQuestion,
  contract: ChannelContract,
): Exclusion | undefined {
  const { amount, currency } = request;
  const bounds = amounts.get(currency);
  if (bounds?.min !== undefined && amount < bounds.min)
    return no(
      'amount_below_minimum',
      `it takes no less than ${formatMoney({ amount: bounds.min, currency })}`,
    );
  if (bounds?.max !== undefined && amount > bounds.max)
    return no(
      'amount_above_maximum',
      `it takes no more than ${formatMoney({ amount: bounds.max, currency })}`,
    );
  if (canExpress?.(id, request, contract) === false)
    return no('amount_not_expressible', 'it cannot express this amount exactly');
  return undefined;
}

function no(code: ExclusionCode, reason: string): Exclusion {
  return { code, reason };
}

export const OUT_OF_SERVICE: Exclusion = no(
  'out_of_service',
  'too many of its latest calls failed or were slow',
);
