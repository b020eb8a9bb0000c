/** Requests to an operation of the document: right ones, nearly right ones and wild ones. */
import * as fc from 'fast-check';
import { nearlyValidValue, validValue, WILD_VALUES } from './fuzz-values';
import type { JsonSchema, Known } from './fuzz-values';
import type { WireRequest } from './fuzz-wire';

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly schema: JsonSchema;
  readonly required?: boolean;
}

interface Media {
  readonly schema?: JsonSchema;
  readonly examples?: Readonly<Record<string, unknown>>;
}

export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Omit<Operation, 'method' | 'path'>>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

export function operationsOf(document: OpenApi): Operation[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => METHODS.includes(method))
      .map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  );
}

/** Keys by who they are for: `merchant`, `admin`. */
export type Keys = Readonly<Record<string, string>>;

type Header = readonly [name: string, value: string];

/** One kind of request at a time is unusual, so that what lies behind the first check is reached too. */
export function requestsTo(operation: Operation, keys: Keys, known: Known): fc.Arbitrary<WireRequest> {
  const right = rightParts(operation, keys, known);
  const wild = wildParts(operation, keys, known);
  const parts = fc.oneof(
    { weight: 12, arbitrary: fc.record(right) },
    { weight: 3, arbitrary: fc.record({ ...right, path: wild.path }) },
    { weight: 3, arbitrary: fc.record({ ...right, query: wild.query }) },
    { weight: 6, arbitrary: fc.record({ ...right, body: wild.body }) },
    { weight: 2, arbitrary: fc.record({ ...right, headers: wild.headers }) },
    { weight: 1, arbitrary: fc.record({ ...right, method: wild.method }) },
    { weight: 1, arbitrary: fc.record(wild) },
  );
  return parts.map(({ method, path, query, headers, body }) => ({
    method,
    target: query === '' ? path : `${path}?${query}`,
    headers,
    ...(body !== undefined && { body }),
  }));
}

interface Parts {
  readonly method: fc.Arbitrary<string>;
  readonly path: fc.Arbitrary<string>;
  readonly query: fc.Arbitrary<string>;
  readonly headers: fc.Arbitrary<Header[]>;
  readonly body: fc.Arbitrary<Buffer | undefined>;
}

function parametersIn({ parameters = [] }: Operation, place: Parameter['in']): Parameter[] {
  return parameters.filter((parameter) => parameter.in === place);
}

function bodySchemaOf({ requestBody }: Operation): JsonSchema | undefined {
  return requestBody?.content['application/json']?.schema;
}

function rightParts(operation: Operation, keys: Keys, known: Known): Parts {
  const text = ({ name, schema }: Parameter) => validValue(schema, known, name).map(String);
  const query = fc.record(
    Object.fromEntries(parametersIn(operation, 'query').map((each) => [each.name, text(each)])),
    { requiredKeys: parametersIn(operation, 'query').flatMap((each) => (each.required ? [each.name] : [])) },
  );
  const schema = bodySchemaOf(operation);
  const body =
    schema === undefined
      ? fc.constant(undefined)
      : validValue(schema, known).map((value) => Buffer.from(JSON.stringify(value)));
  return {
    method: fc.constant(operation.method),
    path: pathOf(operation, (parameter) => text(parameter).map(encoded)),
    query: query.map((fields) => new URLSearchParams(fields).toString()),
    headers: fc
      .option(fc.constantFrom('key-1', 'key-2'), { freq: 3 })
      .map((key): Header[] => [
        ...authorization(operation, keys),
        ...(schema === undefined ? [] : [['Content-Type', 'application/json'] as const]),
        ...(key === null ? [] : [['Idempotency-Key', key] as const]),
      ]),
    body,
  };
}

/** Without halves of surrogate pairs. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

/** Never empty: an empty part of a path makes another path. */
function encoded(text: string): string {
  return encodeURIComponent(wellFormed(text)) || '%20';
}

function authorization({ security }: Operation, keys: Keys): Header[] {
  const [kind] = Object.keys(security[0] ?? {});
  return kind === undefined ? [] : [['Authorization', `Bearer ${keys[kind] ?? ''}`]];
}

function pathOf(
  operation: Operation,
  text: (parameter: Parameter) => fc.Arbitrary<string>,
): fc.Arbitrary<string> {
  const values = parametersIn(operation, 'path').map((parameter) =>
    text(parameter).map((value) => [parameter, value] as const),
  );
  return fc
    .tuple(...values)
    .map((given) =>
      given.reduce((path, [{ name }, value]) => path.replace(`{${name}}`, () => value), operation.path),
    );
}

/** Bytes that no percent-encoding has, and encodings that are none. */
const BROKEN_PATHS = [
  '%',
  '%E0%A4%A',
  '%ff%fe',
  '%00',
  '%2e%2e%2f',
  '..',
  '.',
  '%C0%AF',
  'a%0d%0aX: y',
  'x'.repeat(3_000),
  '\xff',
  '%F0%9F%92%A9',
];
const WILD_TEXT = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'null',
    '-1',
    '1e9',
    '0x10',
    "' OR 1=1 --",
    '\u202e',
    '💩',
    'true',
    '[]',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }).map(wellFormed),
);

function wildParts(operation: Operation, keys: Keys, known: Known): Parts {
  const names = parametersIn(operation, 'query').map(({ name }) => name);
  const name = fc.oneof(
    fc.constantFrom('x', '__proto__', 'constructor', 'limit[]', 'limit', 'cursor', ...names),
  );
  const pair = fc.oneof(
    fc.tuple(name, WILD_TEXT).map(([key, value]) => `${encoded(key)}=${encoded(value)}`),
    fc
      .tuple(name, fc.constantFrom('%', '%ff', '%00', '\xe9', '', 'a'.repeat(2_000)))
      .map((both) => both.join('=')),
    fc.constantFrom(
      '&',
      '=',
      '%',
      '?',
      'a',
      '__proto__[a]=1',
      'limit=1&limit=2',
      'cursor=W10',
      'cursor=WzEsIngiXQ',
    ),
  );
  return {
    // Not DELETE: what is gone is of no use to the other operations.
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY'),
    path: pathOf(operation, () => fc.oneof(fc.constantFrom(...BROKEN_PATHS), WILD_TEXT.map(encoded))),
    query: fc.array(pair, { maxLength: 4 }).map((pairs) => pairs.join('&')),
    headers: wildHeaders(operation, keys),
    body: wildBody(operation, known),
  };
}

/** What a header may carry without ending: everything in Latin-1 but control characters. */
const HEADER_TEXT = fc.stringMatching(/^[\x20-\x7e\xa0-\xff]{0,40}$/);

function wildHeaders(operation: Operation, keys: Keys): fc.Arbitrary<Header[]> {
  const own = authorization(operation, keys);
  const wrongKeys = [
    '',
    'Bearer',
    'Bearer x',
    'Basic YTpi',
    ...Object.values(keys).map((key) => `Bearer ${key}`),
  ];
  const auth = fc.oneof(
    { weight: 3, arbitrary: fc.constant(own) },
    fc.constantFrom(...wrongKeys).map((value): Header[] => [['Authorization', value]]),
  );
  const types = [
    'application/json',
    'application/json; charset=utf-16',
    'text/plain',
    '',
    'a/b/c',
    'application/json;;;',
    'multipart/form-data',
  ];
  const more = fc.oneof(
    fc.constantFrom<Header>(
      ...types.map((type): Header => ['Content-Type', type]),
      ...['gzip', 'br', 'identity', 'x'].map((coding): Header => ['Content-Encoding', coding]),
      ...['100-continue', 'x'].map((wish): Header => ['Expect', wish]),
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
      ['X-Forwarded-For', '999.1.1.1, ::1'],
      ['Accept', 'text/html;q=x'],
      ['Accept-Language', 'zh-CN,zh;q=0.9'],
      ['Range', 'bytes=0-1'],
      ['If-None-Match', '*'],
      ['X-HTTP-Method-Override', 'DELETE'],
      ['Cookie', 'a=b; __proto__=c'],
    ),
    fc
      .tuple(
        fc.constantFrom('Idempotency-Key', 'X-Request-Id', 'Accept-Language', 'Accept', 'X-Odd'),
        HEADER_TEXT,
      )
      .map((pair): Header => pair),
  );
  return fc.tuple(auth, fc.array(more, { maxLength: 4 })).map(([first, rest]) => [...first, ...rest]);
}

function wildBody(operation: Operation, known: Known): fc.Arbitrary<Buffer | undefined> {
  const schema = bodySchemaOf(operation) ?? {};
  const json = fc
    .oneof({ weight: 4, arbitrary: nearlyValidValue(schema, known) }, { weight: 1, arbitrary: WILD_VALUES })
    .map((value) => Buffer.from(JSON.stringify(value) ?? ''));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array)),
    fc.tuple(json, fc.nat(20)).map(([whole, less]) => whole.subarray(0, Math.max(0, whole.length - less))),
    fc
      .constantFrom(
        '',
        '{',
        '[',
        '"',
        '{"a":1}{}',
        '{"a":1,"a":2}',
        '1e999',
        '-',
        '\ufeff{}',
        '{"\\ud800":1}',
        '[]]',
        'NaN',
      )
      .map((text) => Buffer.from(text)),
    fc.constantFrom(5_000, 30_000).map((depth) => Buffer.from('['.repeat(depth) + ']'.repeat(depth))),
    fc.constantFrom(64 * 1024 - 2, 64 * 1024 + 1).map((size) => Buffer.from(`"${'x'.repeat(size)}"`)),
    fc.constant(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])),
    fc.constant(undefined),
  );
  return fc.oneof({ weight: 4, arbitrary: json }, { weight: 1, arbitrary: bytes });
}
