/** What is wrong with an answer, going by the document alone. */
import Ajv2020 from 'ajv/dist/2020';
import type { ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import type { OpenApi, Operation } from './fuzz-requests';
import type { JsonSchema } from './fuzz-values';
import type { WireAnswer, WireRequest } from './fuzz-wire';

/** What may be answered before it is known which operation is meant. */
const OF_NO_OPERATION = new Set([
  'ROUTE_NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'HEADERS_TOO_LARGE',
  'INVALID_REQUEST',
]);

const LEAKS: readonly RegExp[] = [
  /\bat .{1,80}\(?[^\s(]+:\d+:\d+\)?/, // a line of a stack
  /node_modules|node:internal|\.(ts|js|mjs):\d+/,
  /\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\b .*\b(FROM|VALUES|SET|WHERE)\b/,
  /\b(syntax error|relation "|column "|constraint "|violates|pg_|postgres(ql)?:\/\/|redis:\/\/)/i,
  /\b(TypeError|RangeError|ReferenceError|ZodError|ECONN\w+)\b/,
  /(^|[\s"'(])\/(home|usr|tmp|var|root|opt|app|src|etc)\//,
];

export type Judge = (operation: Operation, request: WireRequest, answer: WireAnswer | undefined) => string[];

/** @throws Error when a schema of the document is none */
export function createJudge(document: OpenApi): Judge {
  // Strict about unknown keywords but not about OpenAPI's own, nor about unions of types.
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false, strictTypes: false });
  addFormats(ajv);
  for (const word of ['example', 'components']) ajv.addKeyword(word);
  const root = { $id: 'document', components: document.components };
  ajv.addSchema(closed(root) as object);
  const compiled = new Map<JsonSchema, ValidateFunction>();
  const validatorOf = (schema: JsonSchema): ValidateFunction => {
    const known = compiled.get(schema);
    if (known !== undefined) return known;
    const made = ajv.compile(closed(schema) as object);
    compiled.set(schema, made);
    return made;
  };
  const error = ajv.compile({ $ref: 'document#/components/schemas/Error' });
  const wrongWith = (validate: ValidateFunction, json: unknown): string[] =>
    validate(json) ? [] : [`does not match its schema: ${ajv.errorsText(validate.errors).slice(0, 300)}`];

  const responsesOf = ({ path }: Operation, method: string): Operation['responses'] =>
    document.paths[path]?.[method.toLowerCase()]?.responses ?? {};
  return (operation, request, answer) => {
    if (answer === undefined) return ['no answer'];
    const { status, headers, body } = answer;
    const problems = [...leaks(answer, request)];
    if (status >= 500) problems.push(`status ${status}`);
    if (headers['x-request-id'] === undefined) problems.push('no X-Request-Id');
    if (request.method === 'HEAD') return problems;
    const media = responsesOf(operation, request.method)[String(status)]?.content;
    const type = headers['content-type']?.split(';')[0] ?? '';
    const said = media?.[type];
    if (said !== undefined && type !== 'application/json') return problems;
    const json = parsed(body);
    if (json === undefined) return [...problems, `no JSON (${type})`];
    const { code } = json;
    if (status < 400) {
      if (said?.schema === undefined) return [...problems, 'this status is not in the document'];
      return [...problems, ...wrongWith(validatorOf(said.schema), json)];
    }
    if (json['request_id'] !== headers['x-request-id']) problems.push('request_id is not X-Request-Id');
    const isNamed = typeof code === 'string' && Object.keys(said?.examples ?? {}).includes(code);
    if (!isNamed && !OF_NO_OPERATION.has(String(code)))
      problems.push(`${status} ${String(code)} is not in the document`);
    return [...problems, ...wrongWith(error, json)];
  };
}

function parsed(body: string): Record<string, unknown> | undefined {
  try {
    const json = JSON.parse(body) as unknown;
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** What the caller sent may come back: of the rest nothing may look like our insides. */
function leaks({ body }: WireAnswer, { target, body: sent }: WireRequest): string[] {
  const given = `${decoded(target)}\n${sent?.toString('utf8') ?? ''}`;
  return LEAKS.flatMap((leak) => {
    const found = leak.exec(body)?.[0];
    return found === undefined || given.includes(found.slice(1, -1))
      ? []
      : [`leaks ${JSON.stringify(found)}`];
  });
}

function decoded(target: string): string {
  try {
    return decodeURIComponent(target);
  } catch {
    return target;
  }
}

/** A field that is not in the document is a mistake of the document: objects with named fields have no others. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]));
  if (typeof copy['$ref'] === 'string') copy['$ref'] = `document${copy['$ref']}`;
  const isOpen = 'properties' in copy && !('additionalProperties' in copy) && copy['type'] === 'object';
  return isOpen ? { ...copy, additionalProperties: false } : copy;
}
