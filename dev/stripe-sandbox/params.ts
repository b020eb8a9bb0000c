/** Checks of parameters, as strict as Stripe's: what is not listed is refused, never ignored. */
import { invalid } from './errors';
import type { JsonObject } from './types';

type Kind = 'string' | 'integer' | 'boolean' | 'object' | 'strings' | 'metadata' | 'any';
export type ParamSpec = Readonly<Record<string, Kind>>;

/** Decoded parameters, typed by their spec. */
export interface Params {
  text(name: string): string | undefined;
  integer(name: string): number | undefined;
  flag(name: string): boolean | undefined;
  object(name: string): JsonObject | undefined;
  strings(name: string): string[] | undefined;
  metadata(): Record<string, string>;
  has(name: string): boolean;
}

/** @throws StripeApiError parameter_unknown and its kin, as Stripe answers */
export function checkParams(raw: JsonObject, spec: ParamSpec, required: readonly string[] = []): Params {
  for (const name of Object.keys(raw)) {
    if (!Object.hasOwn(spec, name))
      throw invalid('parameter_unknown', `Received unknown parameter: ${name}`, name);
  }
  for (const name of required) {
    if (!(name in raw)) throw invalid('parameter_missing', `Missing required param: ${name}.`, name);
  }
  for (const [name, kind] of Object.entries(spec)) if (name in raw) checkKind(name, kind, raw[name]);
  return {
    has: (name) => name in raw,
    text: (name) => raw[name] as string | undefined,
    integer: (name) => (raw[name] === undefined ? undefined : Number(raw[name])),
    flag: (name) => (raw[name] === undefined ? undefined : raw[name] === 'true'),
    object: (name) => raw[name] as JsonObject | undefined,
    strings: (name) => raw[name] as string[] | undefined,
    metadata: () => (raw['metadata'] ?? {}) as Record<string, string>,
  };
}

function checkKind(name: string, kind: Kind, value: unknown): void {
  switch (kind) {
    case 'string':
      if (typeof value !== 'string')
        throw invalid(undefined, `Invalid string: ${JSON.stringify(value)}`, name);
      if (value === '')
        throw invalid('parameter_invalid_empty', `You passed an empty string for '${name}'.`, name);
      return;
    case 'integer':
      if (typeof value !== 'string' || !/^-?\d{1,15}$/.test(value))
        throw invalid('parameter_invalid_integer', `Invalid integer: ${String(value)}`, name);
      return;
    case 'boolean':
      if (value !== 'true' && value !== 'false')
        throw invalid(undefined, `Invalid boolean: ${String(value)}`, name);
      return;
    case 'object':
      if (typeof value !== 'object' || value === null) throw invalid(undefined, 'Invalid object', name);
      return;
    case 'strings':
      if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
        throw invalid(undefined, 'Invalid array', name);
      return;
    case 'metadata':
      return checkMetadata(value);
    case 'any':
  }
}

function checkMetadata(value: unknown): void {
  if (value === '') return;
  if (typeof value !== 'object' || value === null) throw invalid(undefined, 'Invalid object', 'metadata');
  const entries = Object.entries(value);
  if (entries.length > 50) throw invalid(undefined, 'Metadata can have up to 50 keys.', 'metadata');
  for (const [key, text] of entries) {
    const param = `metadata[${key}]`;
    if (key.length > 40)
      throw invalid(
        undefined,
        `Metadata keys can be up to 40 characters, this one has ${key.length}.`,
        param,
      );
    if (typeof text !== 'string') throw invalid(undefined, 'Metadata values must be strings.', param);
    if (text.length > 500)
      throw invalid(
        undefined,
        `Metadata values can be up to 500 characters, this one has ${text.length}.`,
        param,
      );
  }
}

/** Which of the allowed properties the caller wants expanded. */
export function checkExpand(params: Params, allowed: readonly string[]): ReadonlySet<string> {
  const wanted = params.strings('expand') ?? [];
  for (const name of wanted) {
    if (!allowed.includes(name))
      throw invalid(undefined, `This property cannot be expanded (${name}).`, 'expand');
  }
  return new Set(wanted);
}

/** A parameter that is one of a few words. @throws StripeApiError for any other */
export function oneOf(params: Params, name: string, allowed: readonly string[]): string | undefined {
  const value = params.text(name);
  if (value !== undefined && !allowed.includes(value)) {
    throw invalid(undefined, `Invalid ${name}: must be one of ${allowed.join(', ')}`, name);
  }
  return value;
}
