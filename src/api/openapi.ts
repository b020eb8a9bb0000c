/** The OpenAPI 3.1 document, made from the routes: the same routes give the same bytes. */
import { OpenApiGeneratorV31, OpenAPIRegistry } from '@asteasolutions/zod-to-openapi';
import type { ResponseConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { ERROR_MESSAGES } from '../domain/errors';
import type { ErrorCode } from '../domain/errors';
import { HTTP_STATUS } from './errors';
import type { Route, RouteResponse } from './route';

const ERROR_REF = { $ref: '#/components/schemas/Error' };
const idempotencyKey = z
  .string()
  .min(1)
  .max(255)
  .optional()
  .describe('Repeats with the same key and body get the first answer; kept for 24 hours');

export type OpenApiDocument = ReturnType<OpenApiGeneratorV31['generateDocument']>;

export function openApiDocument(routes: readonly Route[], version: string): OpenApiDocument {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'merchant', {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key, hf_live_... or hf_test_...',
  });
  registry.registerComponent('securitySchemes', 'admin', {
    type: 'http',
    scheme: 'bearer',
    description: 'The admin key',
  });
  registry.registerComponent('schemas', 'Error', {
    type: 'object',
    required: ['code', 'message', 'request_id'],
    properties: {
      code: { type: 'string', enum: Object.keys(ERROR_MESSAGES).sort() },
      message: { type: 'string', description: 'A sentence for people; it may change, the code does not' },
      details: { type: 'object', additionalProperties: true },
      request_id: { type: 'string' },
    },
  });
  for (const route of routes) registerRoute(registry, route);
  return new OpenApiGeneratorV31(registry.definitions, { sortComponents: 'alphabetically' }).generateDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'Holdfast',
        version,
        description: 'A payment gateway: holds, captures and releases that survive anything.',
      },
      servers: [{ url: '/' }],
    },
  );
}

function registerRoute(registry: OpenAPIRegistry, route: Route): void {
  const { params, query, body } = route.request;
  const content = route.rawBody === undefined ? 'application/json' : 'application/octet-stream';
  const bodySchema = route.rawBody === undefined ? body : z.string().describe('The bytes as they are signed');
  registry.registerPath({
    method: route.method,
    path: route.path,
    operationId: operationId(route),
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    tags: [route.tag],
    security: route.auth === 'none' ? [] : [{ [route.auth]: [] }],
    request: {
      ...(params === undefined ? {} : { params }),
      ...(query === undefined ? {} : { query }),
      ...(route.idempotent === true ? { headers: z.object({ 'Idempotency-Key': idempotencyKey }) } : {}),
      ...(bodySchema === undefined
        ? {}
        : { body: { required: true, content: { [content]: { schema: bodySchema } } } }),
    },
    responses: { ...successesOf(route), ...failuresOf(route) },
  });
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
  return Object.fromEntries(entries.map(([status, response]) => [status, successOf(response)]));
}

function successOf(response: RouteResponse): ResponseConfig {
  const { description, schema = z.unknown(), example, contentType } = response;
  const enveloped = z.object({ code: z.literal('SUCCESS'), message: z.string(), data: schema });
  const media = {
    schema: contentType === undefined ? enveloped : schema,
    ...(example === undefined ? {} : { example }),
  };
  return { description, content: { [contentType ?? 'application/json']: media } };
}

/** The codes a route may answer, its own and those of the frame. */
export function errorCodesOf(route: Route): ErrorCode[] {
  const { params, query, body } = route.request;
  const codes = new Set<ErrorCode>([...route.errors, 'INTERNAL_ERROR']);
  const add = (...more: ErrorCode[]): void => more.forEach((code) => codes.add(code));
  if (route.auth !== 'none') add('UNAUTHENTICATED', 'FORBIDDEN', 'TEMPORARILY_UNAVAILABLE');
  if ([params, query, body].some((schema) => schema !== undefined)) add('INVALID_REQUEST');
  if (body !== undefined) add('INVALID_JSON');
  if (body !== undefined || route.rawBody !== undefined) add('UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE');
  if (route.idempotent === true) add('IDEMPOTENCY_IN_PROGRESS', 'IDEMPOTENCY_KEY_REUSED');
  return [...codes].sort();
}

function failuresOf(route: Route): Record<string, ResponseConfig> {
  const failures: Record<string, ResponseConfig> = {};
  const codes = errorCodesOf(route).filter((code) => route.responses[HTTP_STATUS[code]] === undefined);
  for (const status of [...new Set(codes.map((code) => HTTP_STATUS[code]))].sort()) {
    const ofStatus = codes.filter((code) => HTTP_STATUS[code] === status);
    const examples = ofStatus.map((code) => [
      code,
      { value: { code, message: ERROR_MESSAGES[code], request_id: 'b7c1e6f0' } },
    ]);
    failures[status] = {
      description: ofStatus.join(', '),
      content: {
        'application/json': {
          schema: ERROR_REF,
          examples: Object.fromEntries(examples) as Record<string, { value: unknown }>,
        },
      },
    };
  }
  return failures;
}
