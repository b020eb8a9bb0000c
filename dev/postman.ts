/** The Postman collection: made from the OpenAPI document, the same document gives the same bytes. */
import { createHash } from 'node:crypto';
import { convertV2 } from 'openapi-to-postmanv2';
import { apiDocument } from './api-document';
import type { ApiDocument } from './api-document';

export const POSTMAN_FILE = 'docs/postman/holdfast.postman_collection.json';

type Json = Record<string, unknown>;

interface Operation extends Json {
  readonly parameters?: readonly Json[];
  readonly responses: Readonly<Record<string, Json>>;
}

export async function renderPostman(): Promise<string> {
  return `${JSON.stringify(await collectionOf(await apiDocument()), null, 2)}\n`;
}

async function collectionOf(document: ApiDocument): Promise<unknown> {
  const options = { folderStrategy: 'Tags', parametersResolution: 'Example', requestNameSource: 'Fallback' };
  const converted = await new Promise<Json>((resolve, reject) => {
    convertV2({ type: 'json', data: slim(document) }, options, (error, result) => {
      const output = result?.output?.[0];
      if (output === undefined) reject(error ?? new Error(`no collection: ${result?.reason ?? ''}`));
      else resolve(output.data);
    });
  });
  const { info, item } = converted as { info: Json; item: unknown };
  return {
    info: { ...info, _postman_id: uuidOf('collection'), description: INTRODUCTION },
    item: steady(item, 'collection'),
    auth: bearer('merchantKey'),
    variable: [
      { key: 'baseUrl', value: 'http://127.0.0.1:40005' },
      { key: 'merchantKey', value: 'hf_test_...' },
      { key: 'adminKey', value: '' },
    ],
  };
}

const INTRODUCTION =
  'Set the variables baseUrl, merchantKey and, for operators, adminKey. Every POST gets an Idempotency-Key of its own. ' +
  'Made from /openapi.json by npm run generate; errors, limits and webhooks are described at /docs.';

/** What every request has in common would stand a hundred times in the file: it is described at /docs. */
function slim(document: ApiDocument): ApiDocument {
  const paths = Object.fromEntries(
    Object.entries(document.paths).map(([path, item]) => [
      path,
      Object.fromEntries(Object.entries(item).map(([method, operation]) => [method, slimmed(operation as Operation)])),
    ]),
  ); // prettier-ignore
  return { ...document, webhooks: undefined, info: { ...document.info, description: '' }, paths };
}

function slimmed(operation: Operation): Operation {
  const success = Object.entries(operation.responses).find(([status]) => status < '300');
  return {
    ...operation,
    parameters: (operation.parameters ?? []).filter((parameter) => !('$ref' in parameter)),
    responses: success === undefined ? {} : { [success[0]]: { ...success[1], headers: {} } },
  };
}

const bearer = (variable: string) => ({
  type: 'bearer',
  bearer: [{ type: 'any', value: `{{${variable}}}`, key: 'token' }],
});

/** A parameter in a query or header, as the converter writes it. */
const isParameter = (fields: Json) => 'disabled' in fields && 'key' in fields && 'value' in fields;
/** Says nothing, or says again what stands beside it. */
const LEFT_OUT: ReadonlySet<string> = new Set(['event', 'originalRequest', 'protocolProfileBehavior']);

/** What the converter makes up anew each time is made from its place instead, or left empty. */
function steady(value: unknown, place: string): unknown {
  if (Array.isArray(value))
    return value.map((item, index) => steady(item, `${place}/${nameOf(item) ?? index}`));
  if (typeof value !== 'object' || value === null) return value;
  const fields = value as Json;
  if (fields['key'] === 'Idempotency-Key') return { ...fields, value: '{{$guid}}' };
  if (isParameter(fields) && !JSON.stringify(fields['description']).includes('"(Required)'))
    return { ...fields, disabled: true, value: '' };
  const entries = Object.entries(fields)
    .filter(([name]) => !LEFT_OUT.has(name))
    .map(([name, inner]) => {
      if (name === 'id' && typeof inner === 'string') return [name, uuidOf(place)];
      if (name === 'auth') return [name, authOf(fields, inner)];
      return [name, steady(inner, `${place}/${name}`)];
    });
  return Object.fromEntries(entries) as Json;
}

function authOf({ url }: Json, auth: unknown): unknown {
  if (typeof auth !== 'object' || auth === null || (auth as Json)['type'] !== 'bearer') return { type: 'noauth' };
  return bearer(JSON.stringify(url).includes('"admin"') ? 'adminKey' : 'merchantKey');
} // prettier-ignore

const nameOf = (item: unknown): string | undefined => {
  const { name } = (item ?? {}) as { name?: unknown };
  return typeof name === 'string' ? name : undefined;
};

function uuidOf(place: string): string {
  const hex = createHash('sha256').update(`holdfast/${place}`).digest('hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
