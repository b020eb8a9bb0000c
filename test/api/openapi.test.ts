import { z } from 'zod';
import { errorCodesOf, openApiDocument, operationId } from '../../src/api/openapi';
import { defineRoute } from '../../src/api/route';
import type { Route } from '../../src/api/route';
import { adminRoutes } from '../../src/api/routes/admin';
import type { AdminDeps } from '../../src/api/routes/admin';
import { healthRoutes, openApiRoute } from '../../src/api/routes/health';

const capture = defineRoute({
  method: 'post',
  path: '/api/v1/pre-auth/{pre_auth_no}/capture',
  summary: 'Capture',
  tag: 'Pre-auth',
  auth: 'merchant',
  idempotent: true,
  request: {
    params: z.strictObject({ pre_auth_no: z.string() }),
    body: z.strictObject({ amount: z.int().positive().optional() }),
  },
  responses: {
    200: { description: 'Captured', schema: z.object({ amount: z.int() }), example: { amount: 5 } },
  },
  errors: ['NOT_FOUND', 'PRE_AUTH_BUSY', 'PRE_AUTH_CLOSED'],
  handler: () => Promise.reject(new Error('never called')),
});

/** The document asks nothing of what the handlers need. */
function everyRoute(): Route[] {
  const up = (): Promise<void> => Promise.resolve();
  return [
    ...healthRoutes({ postgres: up, temporal: up, redis: up }),
    openApiRoute(() => ({})),
    ...adminRoutes({} as AdminDeps),
    capture,
  ];
}

interface BodySchema {
  additionalProperties?: boolean;
  /** One for each kind that a discriminator tells apart. */
  oneOf?: BodySchema[];
}

interface Operation {
  operationId: string;
  security: Record<string, unknown>[];
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: { content: Record<string, { schema: BodySchema }> };
  responses: Record<
    string,
    { description: string; content: Record<string, { schema: unknown; example?: unknown }> }
  >;
}

describe('the OpenAPI document', () => {
  const routes = everyRoute();
  const json = JSON.stringify(openApiDocument(routes, '1.2.3'));
  const document = JSON.parse(json) as {
    openapi: string;
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, unknown>; securitySchemes: Record<string, unknown> };
  };

  it('has every route, each under a name of its own', () => {
    const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
    expect(document.openapi).toBe('3.1.0');
    expect(operations).toHaveLength(routes.length);
    expect(new Set(operations.map((operation) => operation.operationId)).size).toBe(routes.length);
  });

  it('is the same every time', () => {
    expect(JSON.stringify(openApiDocument(everyRoute(), '1.2.3'))).toBe(json);
  });

  it('describes a route whole: path, key header, body, envelope, errors by status', () => {
    const operation = document.paths['/api/v1/pre-auth/{pre_auth_no}/capture']?.post;
    expect(operation?.operationId).toBe('postPreAuthByPreAuthNoCapture');
    expect(operation?.security).toEqual([{ merchant: [] }]);
    expect(operation?.parameters).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'pre_auth_no', in: 'path', required: true }),
        expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: false }),
      ]),
    );
    expect(operation?.requestBody?.content['application/json']?.schema).toMatchObject({
      type: 'object',
      additionalProperties: false,
    });
    expect(operation?.responses['200']?.content['application/json']).toMatchObject({
      schema: { required: ['code', 'message', 'data'], properties: { data: { required: ['amount'] } } },
      example: { code: 'SUCCESS', message: 'Captured', data: { amount: 32000 } },
    });
    expect(operation?.responses['409']).toMatchObject({
      description: 'IDEMPOTENCY_IN_PROGRESS, PRE_AUTH_BUSY, PRE_AUTH_CLOSED',
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
    });
    expect(Object.keys(operation?.responses ?? {})).toEqual(
      '200 400 401 403 404 408 409 413 415 422 429 500 503'.split(' '),
    );
  });

  it('refuses unknown fields in every body', () => {
    const bodies = Object.values(document.paths)
      .flatMap((item) => Object.values(item))
      .flatMap((operation) => Object.values(operation.requestBody?.content ?? {}));
    expect(bodies.length).toBeGreaterThan(3);
    for (const { schema } of bodies)
      for (const one of schema.oneOf ?? [schema]) expect(one.additionalProperties).toBe(false);
  });

  it('adds the codes of the frame only where they can occur', () => {
    const [healthz] = routes;
    expect(healthz === undefined ? [] : errorCodesOf(healthz)).toEqual(['INTERNAL_ERROR']);
    expect(operationId({ method: 'get', path: '/openapi.json' })).toBe('getOpenapiJson');
  });
});
