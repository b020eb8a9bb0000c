/** Values for a JSON schema: such as it takes, such as it nearly takes, and anything at all. */
import * as fc from 'fast-check';

export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
}

/** Values that exist in the system under test, by the name of the field or parameter that carries them. */
export type Known = Readonly<Record<string, readonly string[]>>;

const MAX_ITEMS = 4;
const MAX_TEXT = 60;
/** 1900 to 2199: what a database still takes, mostly. */
const SOME_DAYS = { min: new Date('1900-01-01'), max: new Date('2199-12-31'), noInvalidDate: true };

/** Values that the schema takes; the system may refuse them still. */
export function validValue(schema: JsonSchema, known: Known, name = ''): fc.Arbitrary<unknown> {
  if ('const' in schema) return fc.constant(schema.const);
  const there = (known[name] ?? []).filter((value) => mayBe(value, schema));
  const made = madeUpValue(schema, known, name);
  if (there.length === 0) return made;
  return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...there) }, { weight: 1, arbitrary: made });
}

function mayBe(value: string, { type, enum: listed, pattern, format }: JsonSchema): boolean {
  if (type !== 'string' || (listed !== undefined && !listed.includes(value))) return false;
  return (
    (format !== 'date-time' || value.includes('T')) &&
    (pattern === undefined || new RegExp(pattern).test(value))
  );
}

function madeUpValue(schema: JsonSchema, known: Known, name: string): fc.Arbitrary<unknown> {
  const { enum: listed, type } = schema;
  if (listed !== undefined) return fc.constantFrom(...listed);
  const ways = schema.anyOf ?? schema.oneOf ?? (Array.isArray(type) ? waysOf(schema, type) : undefined);
  if (ways !== undefined) return fc.oneof(...ways.map((way) => validValue(way, known, name)));
  switch (type as string | undefined) {
    case 'object':
      return validObject(schema, known);
    case 'array': {
      const { items = {}, minItems = 0, maxItems = MAX_ITEMS } = schema;
      const size = { minLength: minItems, maxLength: Math.max(minItems, Math.min(maxItems, MAX_ITEMS)) };
      return fc.array(validValue(items, known, name), size);
    }
    case 'integer':
    case 'number':
      return validNumber(schema);
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'string':
      return validText(schema);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function waysOf(schema: JsonSchema, types: readonly string[]): JsonSchema[] {
  return types.map((type) => ({ ...schema, type }));
}

function validObject(schema: JsonSchema, known: Known): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], additionalProperties: rest } = schema;
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, of]) => [name, validValue(of, known, name)]),
  );
  const named = fc.record(fields, { requiredKeys: [...required] });
  if (typeof rest !== 'object') return named;
  const more = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), validValue(rest, known), { maxKeys: 3 });
  return fc.tuple(more, named).map(([others, own]) => ({ ...others, ...own }));
}

function validNumber(schema: JsonSchema): fc.Arbitrary<number> {
  const min = Math.max(schema.minimum ?? (schema.exclusiveMinimum ?? -1e6 - 1) + 1, Number.MIN_SAFE_INTEGER);
  const max = Math.max(min, Math.min(schema.maximum ?? 1e9, Number.MAX_SAFE_INTEGER));
  const small = Math.min(max, min + 50_000);
  const whole = fc.maxSafeInteger().map((n) => min + (Math.abs(n) % (max - min + 1)));
  const edges = fc.constantFrom(min, max);
  const around = fc.oneof({ weight: 6, arbitrary: fc.integer({ min, max: small }) }, whole, edges);
  return schema.type === 'integer' ? around : fc.oneof(around, fc.double({ min, max, noNaN: true }));
}

function validText(schema: JsonSchema): fc.Arbitrary<string> {
  const { format, pattern, minLength = 0, maxLength = MAX_TEXT } = schema;
  const fits = (text: string) => text.length >= minLength && text.length <= maxLength;
  switch (format) {
    case 'uuid':
      return fc.uuid({ version: 4 });
    case 'date-time':
      return fc.date(SOME_DAYS).map((date) => date.toISOString());
    case 'date':
      return fc.date(SOME_DAYS).map((date) => date.toISOString().slice(0, 10));
    case 'email':
      return fc.emailAddress().filter((text) => /^[\w.+-]+@[a-z0-9.-]+$/.test(text) && fits(text));
    case 'ip':
    case 'ipv4':
      return fc.ipV4();
    case 'ipv6':
      return fc.ipV6();
    default: {
      const size = { minLength, maxLength: Math.max(minLength, Math.min(maxLength, MAX_TEXT)) };
      const readable = fc.string({ ...size, unit: 'grapheme' }).filter(fits);
      return pattern === undefined ? readable : fc.stringMatching(new RegExp(pattern)).filter(fits);
    }
  }
}

const NAMES_OF_PROTOTYPES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'then',
  '',
];

/** What no schema asks for, each in a way of its own. `undefined` stands for nothing at all. */
export const WILD_VALUES: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 1e308, -1e-320, 2 ** 53, 2 ** 63),
  fc.constantFrom<unknown>(
    '',
    ' ',
    '0',
    'null',
    'NaN',
    '\0',
    'a\0b',
    '\ud800',
    '\u202e\u0007',
    '%00',
    "'",
    '"; --',
  ),
  fc.constantFrom<unknown>(
    [],
    {},
    [[]],
    [null],
    { toString: 1 },
    '-1',
    '1e999',
    '../../etc',
    '{{7*7}}',
    '${7*7}',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', minLength: 300, maxLength: 3_000, size: 'max' }),
  fc
    .constantFrom(...NAMES_OF_PROTOTYPES)
    .map((name) => JSON.parse(`{${JSON.stringify(name)}:{"a":1}}`) as unknown),
  fc.integer({ min: 1, max: 400 }).map((depth) => nested(depth)),
  fc.jsonValue({ maxDepth: 3 }),
);

function nested(depth: number): unknown {
  return depth === 0 ? 1 : depth % 2 === 0 ? [nested(depth - 1)] : { a: nested(depth - 1) };
}

/** Valid but for one place: a field missing, unknown, of a prototype's name, or with a wild value. */
export function nearlyValidValue(schema: JsonSchema, known: Known): fc.Arbitrary<unknown> {
  const spoil = fc.record({
    pick: fc.nat(),
    how: fc.constantFrom('drop', 'replace', 'replace', 'add', 'deeper'),
    wild: WILD_VALUES,
    name: fc.oneof(
      fc.constantFrom(...NAMES_OF_PROTOTYPES),
      fc.string({ maxLength: 12 }),
      fc.constant('n'.repeat(3_000)),
    ),
  });
  return fc.tuple(validValue(schema, known), spoil).map(([value, by]) => spoilt(value, by));
}

interface Spoil {
  readonly pick: number;
  readonly how: string;
  readonly wild: unknown;
  readonly name: string;
}

function spoilt(value: unknown, by: Spoil): unknown {
  if (typeof value !== 'object' || value === null) return by.wild;
  if (Array.isArray(value)) {
    const items = value as unknown[];
    const at = by.pick % (items.length + 1);
    return [...items.slice(0, at), by.wild, ...items.slice(at + 1)];
  }
  const entries: [string, unknown][] = Object.entries(value);
  const at = by.pick % Math.max(entries.length, 1);
  const [name, inner] = entries[at] ?? ['a', undefined];
  const others = entries.filter((_, index) => index !== at);
  if (by.how === 'drop') return fieldsOf(others);
  if (by.how === 'add') return fieldsOf([...entries, [by.name, by.wild]]);
  if (by.how === 'replace' || typeof inner !== 'object' || inner === null)
    return fieldsOf([...others, [name, by.wild]]);
  return fieldsOf([...others, [name, spoilt(inner, by)]]);
}

/** Also of the name `__proto__`, as JSON.parse makes them. */
function fieldsOf(entries: readonly [string, unknown][]): object {
  const made = {};
  for (const [name, value] of entries)
    Object.defineProperty(made, name, { value, enumerable: true, configurable: true, writable: true });
  return made;
}
