/** What operators do with limits: the tiers' numbers, a merchant's tier and own numbers, what it has used. */
import { z } from 'zod';
import { fail } from '../../domain/errors';
import { mergeOverrides } from '../../domain/limits/tiers';
import type { TierLimits, TierName } from '../../domain/limits/tiers';
import { EVERY_MERCHANT } from '../../redis/merchant-tier';
import type { LimitStats } from '../../redis/limit-stats';
import type { TierLimiter } from '../../redis/tier-limiter';
import { appendAdminAudit } from '../../stores/admin-audit';
import { findMerchant } from '../../stores/merchants';
import type { Database } from '../../stores/postgres';
import * as store from '../../stores/tiers';
import { invalidRequest } from '../errors';
import * as schemas from '../limits/schemas';
import type { MerchantTier, TierDirectory } from '../limits/tier-directory';
import { defineRoute } from '../route';
import type { AdminCaller, Route } from '../route';
import { merchantView, showMerchant } from './admin';

export interface AdminLimitsDeps {
  readonly db: Database;
  readonly tiers: Pick<TierDirectory, 'limitsOf' | 'changed'>;
  readonly limiter: Pick<TierLimiter, 'usage' | 'unblock'>;
  readonly stats: Pick<LimitStats, 'read'>;
  readonly nowMs: () => number;
}

const PATH = '/api/v1/admin/merchants/{merchant_id}';
const admin = { tag: 'Administration', auth: 'admin' } as const;
const EVERYWHERE = 'In effect everywhere at once, and within 5 seconds while Redis is away.';

const changedBy = ({ caller, requestId }: { caller: AdminCaller; requestId: string }) => ({
  ...{ actor: caller.name, requestId },
});

export function adminLimitsRoutes(deps: AdminLimitsDeps): Route[] {
  return [...tierRoutes(deps), tierChangeRoute(deps), ...limitsRoutes(deps), ...usageRoutes(deps)];
}

function showTier({ name, updated_at: at, ...row }: store.TierRow): z.infer<typeof schemas.tierView> {
  return { name, ...schemas.showLimits(store.limitsOfRow(row)), updated_at: at.toISOString() };
}

function tierRoutes({ db, tiers }: AdminLimitsDeps): Route[] {
  const list = defineRoute({
    ...admin,
    method: 'get',
    path: '/api/v1/admin/tiers',
    summary: 'List the tiers, the smallest first',
    request: {},
    responses: {
      200: {
        description: 'All tiers',
        schema: z.object({ items: z.array(schemas.tierView) }),
        example: { items: [schemas.TIER_EXAMPLE] },
      },
    },
    errors: [],
    handler: async () => ({ status: 200, data: { items: (await store.readTiers(db)).map(showTier) } }),
  });
  const replace = defineRoute({
    ...admin,
    method: 'put',
    path: '/api/v1/admin/tiers/{name}',
    summary: 'Set the limits of a tier',
    description:
      'burst may not be below per_second, per_minute not below burst, per_hour not below per_minute: else the shorter limit ' +
      `would promise what the longer one refuses. ${EVERYWHERE} Overrides of merchants stay.`,
    request: { params: schemas.tierParams, body: schemas.limitsBody },
    responses: {
      200: { description: 'The tier', schema: schemas.tierView, example: schemas.TIER_EXAMPLE },
    },
    errors: [],
    async handler({ params: { name }, body, ...asked }) {
      assertConsistent(store.limitsOfRow(body), (field) => field);
      const row = await store.replaceTier(db, changedBy(asked), name, body);
      await tiers.changed(EVERY_MERCHANT);
      return { status: 200, data: showTier(row) };
    },
  });
  return [list, replace];
}

function tierChangeRoute({ db, tiers }: AdminLimitsDeps): Route {
  return defineRoute({
    ...admin,
    method: 'patch',
    path: PATH,
    summary: 'Move a merchant to another tier',
    description: `Its overrides stay. ${EVERYWHERE}`,
    request: { params: schemas.merchantParams, body: schemas.tierBody },
    responses: {
      200: { description: 'The merchant', schema: merchantView, example: MERCHANT_EXAMPLE },
    },
    errors: ['NOT_FOUND'],
    async handler({ params: { merchant_id: id }, body: { tier }, ...asked }) {
      const present = found(await store.readMerchantLimits(db, id));
      assertConsistent(await effective(db, tier, present), () => 'tier');
      await store.changeMerchantLimits(db, changedBy(asked), id, { tier });
      await tiers.changed(id);
      return { status: 200, data: showMerchant(found(await findMerchant(db, id))) };
    },
  });
}

const MERCHANT_EXAMPLE = {
  id: schemas.MERCHANT_LIMITS_EXAMPLE.merchant_id,
  account_id: '7b1f7c52-1f0e-4a43-8c0d-5e1a2f0b7d34',
  ...{ world: 'live', name: 'Riverside Hotel', tier: 'business', status: 'active' },
  created_at: '2026-02-11T08:00:00.000Z',
};

function limitsRoutes({ db, tiers }: AdminLimitsDeps): Route[] {
  const one = {
    ...admin,
    path: `${PATH}/limits`,
    responses: {
      200: {
        ...{ description: 'What the merchant may ask', schema: schemas.merchantLimitsView },
        example: schemas.MERCHANT_LIMITS_EXAMPLE,
      },
    },
  } as const;
  const read = defineRoute({
    ...one,
    method: 'get',
    summary: "Read a merchant's tier and limits",
    request: { params: schemas.merchantParams },
    errors: ['NOT_FOUND'],
    handler: async ({ params: { merchant_id: id } }) => ({
      status: 200,
      data: await showMerchantLimits(db, id, found(await store.readMerchantLimits(db, id))),
    }),
  });
  const replace = defineRoute({
    ...one,
    method: 'put',
    summary: 'Give a merchant limits of its own, or another tier',
    description: `The limits in effect must fit together as those of a tier must. ${EVERYWHERE}`,
    request: { params: schemas.merchantParams, body: schemas.merchantLimitsBody },
    errors: ['NOT_FOUND'],
    async handler({ params: { merchant_id: id }, body, ...asked }) {
      const present = found(await store.readMerchantLimits(db, id));
      const overrides = schemas.overridesOfBody(body.overrides);
      const limits = await effective(db, body.tier ?? present.tier, overrides);
      assertConsistent(limits, (field) => `overrides.${field}`);
      const by = changedBy(asked);
      const row = found(await store.changeMerchantLimits(db, by, id, { tier: body.tier, overrides }));
      await tiers.changed(id);
      return { status: 200, data: await showMerchantLimits(db, id, row) };
    },
  });
  const reset = defineRoute({
    ...one,
    method: 'delete',
    summary: 'Give a merchant the limits of its tier again',
    description: `Doing it again changes nothing. ${EVERYWHERE}`,
    request: { params: schemas.merchantParams },
    errors: ['NOT_FOUND'],
    async handler({ params: { merchant_id: id }, ...asked }) {
      const change = { overrides: schemas.NO_OVERRIDES };
      const row = found(await store.changeMerchantLimits(db, changedBy(asked), id, change));
      await tiers.changed(id);
      return { status: 200, data: await showMerchantLimits(db, id, row) };
    },
  });
  return [read, replace, reset];
}

function usageRoutes(deps: AdminLimitsDeps): Route[] {
  const { db, limiter } = deps;
  const read = defineRoute({
    ...admin,
    method: 'get',
    path: `${PATH}/usage`,
    summary: 'Read what a merchant has used of its limits',
    description:
      'Of all processes, as Redis counts it; while Redis is away there is no answer. Counts nothing itself.',
    request: { params: schemas.merchantParams },
    responses: {
      200: { description: 'Used now', schema: schemas.usageView, example: schemas.USAGE_EXAMPLE },
    },
    errors: ['NOT_FOUND', 'TEMPORARILY_UNAVAILABLE'],
    async handler({ params: { merchant_id: id } }) {
      found(await findMerchant(db, id));
      return { status: 200, data: await usageOf(deps, id, await deps.tiers.limitsOf(id)) };
    },
  });
  const unblock = defineRoute({
    ...admin,
    role: 'operator',
    method: 'post',
    path: `${PATH}/unblock`,
    summary: 'Let a merchant begin anew',
    description:
      'What it has used of the second, the minute and the hour is forgotten. Requests at work keep their places.',
    idempotent: true,
    request: { params: schemas.merchantParams },
    responses: {
      200: {
        description: 'What is used now',
        schema: schemas.usageView,
        example: {
          ...schemas.USAGE_EXAMPLE,
          ...{
            second: { used: 0, limit: 100 },
            minute: { used: 0, limit: 2_500 },
            hour: { used: 0, limit: 50_000 },
          },
        },
      },
    },
    errors: ['NOT_FOUND', 'TEMPORARILY_UNAVAILABLE'],
    async handler({ params: { merchant_id: id }, idem, ...asked }) {
      const own = await deps.tiers.limitsOf(id);
      return idem.runWithin(db, async (tx) => {
        found(await findMerchant(tx, id));
        await appendAdminAudit(tx, { ...changedBy(asked), action: 'merchant.unblock', entityId: id });
        await answered(limiter.unblock(id));
        return { status: 200, data: await usageOf(deps, id, own) };
      });
    },
  });
  return [read, unblock];
}

async function usageOf(
  { limiter, stats, nowMs }: AdminLimitsDeps,
  merchantId: string,
  { tier, limits }: MerchantTier,
): Promise<z.infer<typeof schemas.usageView>> {
  const date = new Date(nowMs()).toISOString().slice(0, 10);
  const [usage, counts] = await answered(
    Promise.all([limiter.usage(merchantId, limits), stats.read(merchantId, date)]),
  );
  const { second, minute, hour, concurrent } = usage;
  const { allowed, ...refused } = counts;
  return {
    ...{ merchant_id: merchantId, tier, second, minute, hour, concurrent },
    today: { date, allowed, refused },
  };
}

/** @throws HoldfastError TEMPORARILY_UNAVAILABLE when Redis is away */
function answered<T>(asking: Promise<T>): Promise<T> {
  return asking.catch(() => {
    throw fail('TEMPORARILY_UNAVAILABLE');
  });
}

async function effective(
  db: Database,
  tier: TierName,
  overrides: store.OverrideColumns,
): Promise<TierLimits> {
  const row = found((await store.readTiers(db)).find(({ name }) => name === tier));
  return mergeOverrides(store.limitsOfRow(row), store.overridesOfRow(overrides));
}

function assertConsistent(limits: TierLimits, pathOf: (name: string) => string): void {
  const issues = schemas.contradictionIssues(limits, pathOf);
  if (issues.length > 0) throw invalidRequest(issues);
}

async function showMerchantLimits(
  db: Database,
  id: string,
  row: store.MerchantLimitsRow,
): Promise<z.infer<typeof schemas.merchantLimitsView>> {
  const { tier, updated_by, updated_at, per_second, per_minute, per_hour, burst, concurrency } = row;
  return {
    ...{ merchant_id: id, tier, overrides: { per_second, per_minute, per_hour, burst, concurrency } },
    limits: schemas.showLimits(await effective(db, tier, row)),
    ...{ updated_by, updated_at: updated_at?.toISOString() ?? null },
  };
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw fail('NOT_FOUND');
  return value;
}
