/** Routes that show what the frame does with a request. */
import { z } from 'zod';
import { defineRoute } from '../../src/api/route';
import type { Route } from '../../src/api/route';
import { fail } from '../../src/domain/errors';

const echoBody = z.strictObject({
  amount: z.int().positive(),
  text: z.string().max(50).optional(),
  metadata: z.record(z.string().max(40), z.string()).optional(),
  nested: z.strictObject({ a: z.array(z.strictObject({ name: z.string() })).optional() }).optional(),
});

export const common = { tag: 'Test', auth: 'merchant', errors: [], responses: {} } as const;
/** The bodies that reached the handler of /t/echo. */
export const handled: unknown[] = [];

export function sampleRoutes(): Route[] {
  return [
    defineRoute({
      ...common,
      method: 'post',
      path: '/t/echo',
      summary: 'Echo',
      request: { body: echoBody },
      handler({ body, caller, requestId }) {
        handled.push(body);
        return Promise.resolve({ status: 201, data: { body, merchant: caller.merchantId, requestId } });
      },
    }),
    defineRoute({
      ...common,
      method: 'get',
      path: '/t/things/{thing_no}',
      summary: 'Read',
      request: {
        params: z.strictObject({ thing_no: z.string().regex(/^[a-z]{1,8}$/) }),
        query: z.strictObject({ channel: z.string().optional() }),
      },
      handler: ({ params, query }) => Promise.resolve({ status: 200, data: { ...params, ...query } }),
    }),
    defineRoute({
      ...common,
      auth: 'none',
      method: 'post',
      path: '/t/raw',
      summary: 'Bytes',
      request: {},
      rawBody: { maxBytes: 1024 * 1024 },
      handler: ({ rawBody }) =>
        Promise.resolve({ status: 200, raw: { contentType: 'text/plain', body: `${rawBody.length}` } }),
    }),
    defineRoute({
      ...common,
      auth: 'none',
      method: 'get',
      path: '/t/crash',
      summary: 'Crash',
      request: {},
      handler: () => Promise.reject(new Error('the secret is 42')),
    }),
    defineRoute({
      ...common,
      auth: 'none',
      method: 'get',
      path: '/t/refuse',
      summary: 'Refuse',
      request: {},
      handler: () => Promise.reject(fail('PRE_AUTH_CLOSED', { status: 'canceled' })),
    }),
  ];
}
