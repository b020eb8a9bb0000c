/** The channel of a new payment or hold, with the account that is charged there. */
import type { ChannelContract, ChannelName } from '../domain/channel';
import type { CountrySource, RequestCountry, RoutingDecision, RoutingRequest } from '../domain/routing/types';
import { findAccountFor } from '../stores/channel-accounts';
import type { Queryable } from '../stores/postgres';
import type { CountryResolver } from './country';
import { channelNamed } from './router';
import type { Router } from './router';

export interface ChosenAccount {
  readonly id: string;
  readonly contract: ChannelContract;
  /** It takes nothing new. */
  readonly switchedOff?: boolean;
}

export interface Choice {
  readonly decision: RoutingDecision;
  readonly channel: ChannelName;
  /** undefined: the merchant has none there. */
  readonly account: ChosenAccount | undefined;
}

/**
 * No query as a rule: the router knows the accounts. The database is asked before anybody is told that there is none, and for
 * each channel in turn while the router knows nothing yet.
 */
export async function chooseChannel(router: Router, q: Queryable, request: RoutingRequest): Promise<Choice> {
  if (!router.knowsAccounts()) await router.ready();
  const decision = router.decide(request);
  const { merchantId, world } = request;
  const known = router.accountFor({ merchantId, world, channel: decision.channel });
  if (known !== undefined) return choiceOf(decision, decision.channel, known);
  // Accounts that are known leave no second channel to try: those that have none were excluded.
  const candidates = router.knowsAccounts() ? [decision.channel] : decision.ranked;
  let switchedOff: Choice | undefined;
  for (const candidate of candidates) {
    const channel = channelNamed(candidate);
    if (channel === undefined) continue;
    const account = await findAccountFor(q, { merchantId, world, channel });
    if (account === undefined) continue;
    const { id, contract, switchedOffAt } = account;
    if (switchedOffAt === null) return choiceOf(decision, channel, { id, contract });
    switchedOff ??= choiceOf(decision, channel, { id, contract, switchedOff: true });
  }
  return switchedOff ?? choiceOf(decision, decision.channel, undefined);
}

function choiceOf(decision: RoutingDecision, id: string, account: ChosenAccount | undefined): Choice {
  const channel = channelNamed(id);
  if (channel === undefined) throw new Error(`routing chose ${id}, which is no channel`);
  const accountId = account === undefined ? {} : { accountId: account.id };
  return { decision: { ...decision, channel, ...accountId }, channel, account };
}

/** What a request says of the customer's country, in the words of the API. */
export interface CountryHints {
  readonly country?: string | undefined;
  readonly billing_country?: string | undefined;
  readonly card_country?: string | undefined;
  readonly customer_ip?: string | undefined;
}

/** The best source that knows it. */
export function countryOf(hints: CountryHints, countryOfIp: CountryResolver): RequestCountry | undefined {
  const { country, billing_country: billing, card_country: card, customer_ip: ip } = hints;
  const told = country ?? billing ?? card;
  const code = told ?? (ip === undefined ? undefined : countryOfIp(ip));
  if (code === undefined) return undefined;
  const source: CountrySource =
    country !== undefined
      ? 'explicit'
      : billing !== undefined
        ? 'billing'
        : card !== undefined
          ? 'card'
          : 'ip';
  return { code, source };
}
