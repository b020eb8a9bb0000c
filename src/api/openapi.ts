/** The OpenAPI 3.1 document, made from the routes: the same routes give the same bytes. */
import { OpenApiGeneratorV31, OpenAPIRegistry } from '@asteasolutions/zod-to-openapi';
import type { ResponseConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { withReferences } from './docs/components';
import { EXAMPLES, PARAMETER_EXAMPLES } from './docs/examples';
import { errorExamples, ERROR_SCHEMAS, failuresOf } from './docs/failures';
import { headersOf, REQUEST_HEADERS, requestHeadersOf, RESPONSE_HEADERS } from './docs/headers';
import { INTRODUCTION, TAGS } from './docs/introduction';
import { webhookDocs, WEBHOOK_BODY, WEBHOOK_HEADERS } from './docs/webhooks';
import { routeName } from './route';
import type { Route, RouteResponse } from './route';

export { errorCodesOf } from './docs/failures';

const idempotencyKey = z
  .string()
  .min(1)
  .max(255)
  .optional()
  .describe('Repeats with the same key and body get the first answer; kept for 24 hours')
  .meta({ example: 'order-001-attempt-1' });

const SECURITY_SCHEMES = {
  merchant: { type: 'http', scheme: 'bearer', description: 'An API key, hf_live_... or hf_test_...' },
  admin: { type: 'http', scheme: 'bearer', description: 'An operator’s key, hf_admin_..., or root’s' },
} as const;

export type OpenApiDocument = ReturnType<OpenApiGeneratorV31['generateDocument']>;

export function openApiDocument(routes: readonly Route[], version: string): OpenApiDocument {
  const registry = new OpenAPIRegistry();
  for (const route of routes) registerRoute(registry, route);
  const used = new Set(routes.map(({ tag }) => tag));
  const { paths = {} } = new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: { title: 'Holdfast', version },
  });
  const { document, schemas } = withReferences(withParameterExamples(paths));
  const all: Record<string, unknown> = { ...schemas, ...ERROR_SCHEMAS, WebhookBody: WEBHOOK_BODY };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version,
      summary: 'A payment gateway: holds, payments and refunds that survive anything',
      description: INTRODUCTION,
    },
    servers: [{ url: '/' }],
    tags: TAGS.filter(({ name }) => used.has(name)),
    paths: document,
    webhooks: webhookDocs(),
    components: {
      schemas: Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1))),
      parameters: { ...REQUEST_HEADERS, ...WEBHOOK_HEADERS },
      headers: RESPONSE_HEADERS,
      examples: errorExamples(),
      securitySchemes: SECURITY_SCHEMES,
    },
  } as unknown as OpenApiDocument;
}

function registerRoute(registry: OpenAPIRegistry, route: Route): void {
  const { params, query, body } = route.request;
  const content = route.rawBody === undefined ? 'application/json' : 'application/octet-stream';
  const bodySchema = route.rawBody === undefined ? body : z.string().describe('The bytes as they are signed');
  const example = EXAMPLES[routeName(route)]?.request;
  const mediaOf = (schema: z.ZodType) => ({ schema, ...(example === undefined ? {} : { example }) });
  registry.registerPath({
    method: route.method,
    path: route.path,
    operationId: operationId(route),
    summary: route.summary,
    ...descriptionOf(route),
    tags: [route.tag],
    security: route.auth === 'none' ? [] : [{ [route.auth]: [] }],
    parameters: requestHeadersOf(route),
    request: {
      ...(params === undefined ? {} : { params }),
      ...(query === undefined ? {} : { query }),
      ...(route.idempotent === true ? { headers: z.object({ 'Idempotency-Key': idempotencyKey }) } : {}),
      ...(bodySchema === undefined
        ? {}
        : { body: { required: !takesNothing(bodySchema), content: { [content]: mediaOf(bodySchema) } } }),
    },
    responses: { ...successesOf(route), ...failuresOf(route) },
  });
}

/** Operators are told the role besides. */
function descriptionOf({ auth, role, description }: Route): { description?: string } {
  const wanted = auth === 'admin' ? [`Role: ${role}.`] : [];
  const text = [description, ...wanted].filter((part) => part !== undefined).join(' ');
  return text === '' ? {} : { description: text };
}

/** An absent body is an empty object: it will do where no field is needed. */
function takesNothing(body: z.ZodType): boolean {
  return body.safeParse({}).success;
}

/** `post /api/v1/pre-auth/{pre_auth_no}/capture` -> `postPreAuthByPreAuthNoCapture`. */
export function operationId(route: Pick<Route, 'method' | 'path'>): string {
  const words = route.path
    .replace(/^\/api\/v1/, '')
    .replace(/\{/g, 'by-')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '');
  return route.method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function successesOf(route: Route): Record<string, ResponseConfig> {
  const entries = Object.entries(route.responses);
  return Object.fromEntries(
    entries.map(([status, response]) => [status, successOf(route, Number(status), response)]),
  );
}

function successOf(route: Route, status: number, response: RouteResponse): ResponseConfig {
  const { description, schema = z.unknown(), contentType } = response;
  const examples = EXAMPLES[routeName(route)];
  const data = examples?.responses?.[status] ?? response.example;
  const enveloped = z.object({ code: z.literal('SUCCESS'), message: z.string(), data: schema });
  const isEnveloped = contentType === undefined;
  const example = isEnveloped ? { code: 'SUCCESS', message: examples?.message ?? 'Success', data } : data;
  const media = {
    schema: isEnveloped ? enveloped : schema,
    ...(data === undefined ? {} : { example }),
  };
  const others = Object.entries(examples?.also ?? {}).map(([type, text]) => [
    type,
    { schema: { type: 'string' as const }, example: text },
  ]);
  return {
    description,
    headers: headersOf(route, status, isEnveloped),
    content: {
      [contentType ?? 'application/json']: media,
      ...(Object.fromEntries(others) as Record<string, { schema: { type: 'string' }; example: string }>),
    },
  };
}

/** An address can be tried out only with something in its place. */
function withParameterExamples<T extends object>(paths: T): T {
  for (const item of Object.values(paths)) {
    for (const operation of Object.values(item as Record<string, { parameters?: Parameter[] }>)) {
      for (const parameter of operation.parameters ?? []) {
        const example = PARAMETER_EXAMPLES[parameter.name ?? ''];
        if (parameter.required === true && example !== undefined) parameter.example = example;
      }
    }
  }
  return paths;
}

interface Parameter {
  readonly name?: string;
  readonly required?: boolean;
  example?: unknown;
}
