/** What goes in and out of the endpoints that configure routing. */
import { z } from 'zod';
import { CHANNELS } from '../../domain/channel';
import { currencyExponent } from '../../domain/money';
import { ROUTING_MODES } from '../../domain/routing/types';
import { AUDIT_ACTIONS, AUDITED_ENTITIES } from '../../stores/routing-audit';
import { pageQuery } from '../pagination';
import { isPlace, NO_PLACE, place } from './places';

const MAX_PLACES = 300;
const MAX_CURRENCIES = 200;
const MAX_ORDER = 1_000_000;

export const uuid = z.uuid();
const channel = z.enum(CHANNELS);
const timestamp = z.iso.datetime();
const NO_CURRENCY = 'is not a currency of ISO 4217';
const isCurrency = (code: string) => currencyExponent(code) !== undefined;
const currency = z.string().max(3).refine(isCurrency, NO_CURRENCY).describe('ISO 4217, upper case');
const minor = z.int().min(1).describe('Minor units');
const isDistinct = (items: readonly string[]) => new Set(items).size === items.length;
const setOf = (item: z.ZodString, max: number) =>
  z.array(item).min(1).max(max).refine(isDistinct, 'names something twice');

/** Fields by currency or place. The names are looked at one by one, so that the answer says which is wrong. */
function byName<V extends z.ZodType>(value: V, max: number, isName: (name: string) => boolean, no: string) {
  return z.record(z.string(), value).superRefine((fields, context) => {
    const names = Object.keys(fields);
    if (names.length > max) context.addIssue({ code: 'custom', message: `has more than ${max} entries` });
    for (const name of names.filter((one) => !isName(one)).slice(0, 20))
      context.addIssue({ code: 'custom', path: [name], message: no });
  });
}

interface Bounded {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}
const isInOrder = ({ min, max }: Bounded) => min === undefined || max === undefined || min <= max;
const bounds = z
  .strictObject({ min: minor.optional(), max: minor.optional() })
  .refine(isInOrder, { path: ['max'], message: 'is less than min' });

/** The row's version as the caller knows it: with it a change is refused when somebody else came before. */
const version = z.int().min(0).describe('Routing version of the last change; 0: as built in');
const KNOWN = 'Refuse when it has changed since this version; absent: change it anyhow';
const known = version.optional().describe(KNOWN);

export const versionQuery = z.strictObject({
  version: z.coerce.number().int().min(0).optional().describe(KNOWN),
});
export const channelParams = z.strictObject({ channel });
export const feeParams = z.strictObject({ fee_id: uuid });
export const ruleParams = z.strictObject({ rule_id: uuid });
export const merchantParams = z.strictObject({ merchant_id: uuid });

export const settings = z.strictObject({
  enabled: z.boolean(),
  automatic: z.boolean().describe('false: only when a request or a rule names it'),
  currencies: setOf(currency, MAX_CURRENCIES).optional().describe('Absent: every currency'),
  countries: setOf(place, MAX_PLACES).optional().describe('Of the customer; absent: everywhere'),
  amounts: byName(bounds, MAX_CURRENCIES, isCurrency, NO_CURRENCY)
    .default({})
    .describe('Bounds of one payment or hold by currency, inclusive, in minor units'),
  weight: z.int().min(0).max(1000).describe('Share of load balance; 0: none'),
  pre_auth: z.boolean().describe('It can hold money; for Alipay the account says so'),
  multiple_captures: z.boolean(),
  home: byName(z.int().min(1).max(100), MAX_PLACES, isPlace, NO_PLACE)
    .default({})
    .describe('Country or region -> how much the channel is at home there; a country beats its region'),
});
export const channelBody = z.strictObject({ settings, version: known });

export const channelView = z.object({
  channel,
  source: z.enum(['built_in', 'database']).describe('built_in: nobody has configured it'),
  settings: z.object(settings.shape),
  version,
  updated_at: timestamp.nullable(),
});

const feeFields = {
  channel,
  account_id: uuid.optional().describe('Absent: every account of the channel'),
  currency: currency.optional().describe('Absent: every currency'),
  country: place.optional().describe('Of the customer: country or region; absent: everywhere'),
  basis_points: z.int().min(0).max(10_000).describe('Hundredths of a percent: 290 is 2.9 %'),
  fixed_minor: z.int().min(0).default(0).describe('Charged besides, in minor units of `currency`'),
};
export const feeBody = z
  .strictObject({ ...feeFields, version: known })
  .refine(({ fixed_minor, currency: of }) => fixed_minor === 0 || of !== undefined, {
    path: ['currency'],
    message: 'is needed for a fixed part: minor units are of a currency',
  });
export const feeListQuery = z.strictObject({ ...pageQuery, channel: channel.optional() });
const stored = { version, created_at: timestamp, updated_at: timestamp };
export const feeView = z.object({
  id: uuid,
  ...feeFields,
  account_id: uuid.nullable(),
  currency: currency.nullable(),
  country: place.nullable(),
  ...stored,
});

const ruleFields = {
  order: z.int().min(0).max(MAX_ORDER).describe('The lowest order with a rule that can be used decides'),
  enabled: z.boolean().default(true),
  merchant_id: uuid.optional().describe('Absent, here and below: any'),
  currency: currency.optional(),
  country: place.optional(),
  min_amount: minor.optional().describe('Inclusive, in minor units of `currency`'),
  max_amount: minor.optional().describe('Inclusive, in minor units of `currency`'),
  channel,
  weight: z.int().min(1).max(1000).default(100).describe('Share among the rules of the same order'),
};
export const ruleBody = z
  .strictObject({ ...ruleFields, version: known })
  .refine(({ min_amount: min, max_amount: max }) => isInOrder({ min, max }), {
    path: ['max_amount'],
    message: 'is less than min_amount',
  })
  .refine(
    ({ min_amount: min, max_amount: max, currency: of }) => (min ?? max) === undefined || of !== undefined,
    {
      path: ['currency'],
      message: 'is needed for amounts: minor units are of a currency',
    },
  );
export const ruleView = z.object({
  id: uuid.describe('Stays when the rule is replaced'),
  ...ruleFields,
  merchant_id: uuid.nullable(),
  currency: currency.nullable(),
  country: place.nullable(),
  min_amount: minor.nullable(),
  max_amount: minor.nullable(),
  ...stored,
});

const merchantFields = {
  mode: z.enum(ROUTING_MODES).optional().describe('Absent: the mode of all'),
  smart: z.boolean().optional().describe('false: smart routing is off, the rules decide'),
};
export const merchantBody = z
  .strictObject({ ...merchantFields, version: known })
  .refine(({ mode, smart }) => mode !== undefined || smart !== undefined, 'must set mode, smart or both');
export const merchantView = z.object({
  merchant_id: uuid,
  mode: z.enum(ROUTING_MODES).nullable(),
  smart: z.boolean().nullable(),
  version,
  updated_at: timestamp.nullable(),
});

export const auditQuery = z.strictObject({
  ...pageQuery,
  entity: z.enum(AUDITED_ENTITIES).optional(),
  entity_id: z.string().min(1).max(100).optional().describe('With entity: its history'),
  actor: z.string().min(1).max(100).optional(),
  from: z.iso.datetime({ offset: true }).optional().describe('Inclusive'),
  to: z.iso.datetime({ offset: true }).optional().describe('Exclusive'),
});
export const auditCursor = z.string().regex(/^\d{1,18}$/);
export const auditView = z.object({
  id: z.int(),
  version: version.describe('The routing version that this change led to'),
  actor: z.string(),
  request_id: z.string(),
  action: z.enum(AUDIT_ACTIONS),
  entity: z.enum(AUDITED_ENTITIES),
  entity_id: z.string(),
  before: z.record(z.string(), z.unknown()).nullable(),
  after: z.record(z.string(), z.unknown()).nullable(),
  created_at: timestamp,
});
