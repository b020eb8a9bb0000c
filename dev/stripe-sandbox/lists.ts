/** The two ways to look for PaymentIntents: the list, which is consistent, and the search, which lags behind. */
import type { ApiRequest } from './api-routes';
import { invalid, missing } from './errors';
import { checkExpand, checkParams } from './params';
import type { Params } from './params';
import { renderIntent } from './render';
import type { Intent, JsonObject } from './types';

const EXPANDABLE = ['data.latest_charge'];
const DEFAULT_LIMIT = 10;

function readLimit(params: Params): number {
  const limit = params.integer('limit') ?? DEFAULT_LIMIT;
  if (limit < 1 || limit > 100) {
    throw invalid('parameter_invalid_integer', 'This value must be between 1 and 100.', 'limit');
  }
  return limit;
}

interface Listed<T> {
  /** As in Stripe's "No such ...". */
  readonly kind: string;
  readonly url: string;
  /** Oldest first. */
  readonly all: readonly T[];
  readonly render: (item: T) => JsonObject;
}

/** One page of a list endpoint, newest first. */
export function listPage<T extends { readonly id: string; readonly created: number }>(
  params: Params,
  raw: JsonObject,
  { kind, url, all, render }: Listed<T>,
): JsonObject {
  const limit = readLimit(params);
  const isWanted = createdFilter(raw['created']);
  const after = params.text('starting_after');
  const data: T[] = [];
  let hasMore = false;
  for (let index = startOf(kind, all, after); index >= 0 && !hasMore; index--) {
    const item = all[index];
    if (item === undefined || !isWanted(item.created)) continue;
    if (data.length === limit) hasMore = true;
    else data.push(item);
  }
  return { object: 'list', url, has_more: hasMore, data: data.map(render) };
}

function startOf(kind: string, all: readonly { readonly id: string }[], after: string | undefined): number {
  if (after === undefined) return all.length - 1;
  const index = all.findLastIndex((item) => item.id === after);
  if (index < 0) throw missing(kind, after, 'starting_after');
  return index - 1;
}

/** From the account's own objects. */
export function listIntents({ scene, caller, raw }: ApiRequest): JsonObject {
  const params = checkParams(raw, {
    created: 'any',
    customer: 'string',
    ending_before: 'string',
    expand: 'strings',
    limit: 'integer',
    starting_after: 'string',
  });
  const isExpanded = checkExpand(params, EXPANDABLE).has('data.latest_charge');
  const all = scene.state.byAccount.get(caller.account) ?? [];
  const render = (intent: Intent) => renderIntent(intent, isExpanded);
  return listPage(params, raw, { kind: 'payment_intent', url: '/v1/payment_intents', all, render });
}

function createdFilter(created: unknown): (unixSeconds: number) => boolean {
  if (created === undefined) return () => true;
  const number = (text: unknown) => {
    if (typeof text !== 'string' || !/^\d+$/.test(text))
      throw invalid('parameter_invalid_integer', `Invalid integer: ${String(text)}`, 'created');
    return Number(text);
  };
  if (typeof created === 'string') {
    const exactly = number(created);
    return (at) => at === exactly;
  }
  const tests = Object.entries(created as JsonObject).map(([operator, text]) => {
    const bound = number(text);
    switch (operator) {
      case 'gte':
        return (at: number) => at >= bound;
      case 'gt':
        return (at: number) => at > bound;
      case 'lte':
        return (at: number) => at <= bound;
      case 'lt':
        return (at: number) => at < bound;
      default:
        throw invalid(
          'parameter_unknown',
          `Received unknown parameter: created[${operator}]`,
          `created[${operator}]`,
        );
    }
  });
  return (at) => tests.every((test) => test(at));
}

const CLAUSE = /^\s*(?:metadata\[["']([^"']+)["']\]|(status))\s*:\s*["']([^"']*)["']\s*$/;

/** Finds only what is older than the lag: whoever takes an empty answer for a proof is wrong here as at Stripe. */
export function searchIntents({ scene, caller, raw }: ApiRequest): JsonObject {
  const params = checkParams(raw, { query: 'string', expand: 'strings', limit: 'integer', page: 'string' }, [
    'query',
  ]);
  const isExpanded = checkExpand(params, EXPANDABLE).has('data.latest_charge');
  const limit = readLimit(params);
  const clauses = (params.text('query') ?? '').split(/\s+AND\s+/i).map((text) => {
    const match = CLAUSE.exec(text);
    if (match === null)
      throw invalid(undefined, `We were unable to parse your search query: ${text}`, 'query');
    return { key: match[1], value: match[3] ?? '' };
  });
  const visibleUntilMs = Date.now() - scene.state.config.searchLagMs;
  const found = (scene.state.byAccount.get(caller.account) ?? []).filter(
    (intent) =>
      intent.createdMs <= visibleUntilMs &&
      clauses.every(({ key, value }) => (key === undefined ? intent.status : intent.metadata[key]) === value),
  );
  const from = Number(params.text('page') ?? 0);
  const data = found.reverse().slice(from, from + limit);
  const hasMore = from + limit < found.length;
  return {
    object: 'search_result',
    url: '/v1/payment_intents/search',
    has_more: hasMore,
    next_page: hasMore ? String(from + limit) : null,
    data: data.map((intent) => renderIntent(intent, isExpanded)),
  };
}
