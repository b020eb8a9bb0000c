/** Is the process up, can it work, and what does the API look like. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { defineRoute } from '../route';
import type { RawAnswer, Route } from '../route';

// Below the second that probers wait as a rule: an answer that comes as late as they give up says "not ready" to them,
// although without Temporal or Redis this process is.
const CHECK_TIMEOUT_MS = 800;

const DEPENDENCIES = ['postgres', 'temporal', 'redis'] as const;
export type Dependency = (typeof DEPENDENCIES)[number];
/** Each resolves when its server answers, and rejects when it does not. */
export type HealthChecks = Readonly<Record<Dependency, () => Promise<unknown>>>;

type State = 'up' | 'down';

async function stateOf(check: () => Promise<unknown>, timeoutMs: number): Promise<State> {
  const timeout = new AbortController();
  try {
    const down = sleep(timeoutMs, 'down' as const, { signal: timeout.signal });
    const up = check().then(() => 'up' as const);
    return await Promise.race([up, down]);
  } catch {
    return 'down';
  } finally {
    timeout.abort();
  }
}

function json(status: number, body: unknown): RawAnswer {
  return { status, raw: { contentType: 'application/json', body: JSON.stringify(body) } };
}

/** Whoever asks while a look is under way is told what it finds: nobody counts these requests, and each look costs a connection. */
function createLook(checks: HealthChecks, timeoutMs: number): () => Promise<State[]> {
  let looking: Promise<State[]> | undefined;
  return () => {
    looking ??= Promise.all(DEPENDENCIES.map((name) => stateOf(checks[name], timeoutMs))).finally(() => {
      looking = undefined;
    });
    return looking;
  };
}

const state = z.enum(['up', 'down']);
const readiness = z.object({
  status: z.enum(['ok', 'degraded', 'unavailable']),
  degraded: z.array(z.enum(DEPENDENCIES)),
  checks: z.object({ postgres: state, temporal: state, redis: state }),
});

export function healthRoutes(checks: HealthChecks, timeoutMs = CHECK_TIMEOUT_MS): Route[] {
  const look = createLook(checks, timeoutMs);
  const healthz = defineRoute({
    method: 'get',
    path: '/healthz',
    priority: 'exempt',
    summary: 'The process is up',
    tag: 'Health',
    auth: 'none',
    request: {},
    responses: {
      200: {
        description: 'Up',
        contentType: 'application/json',
        schema: z.object({ status: z.literal('ok') }),
      },
    },
    errors: [],
    handler: () => Promise.resolve(json(200, { status: 'ok' })),
  });
  const readyz = defineRoute({
    method: 'get',
    path: '/readyz',
    priority: 'exempt',
    summary: 'The process can work',
    description:
      'Without Temporal new holds are accepted and answered 202; Redis is a cache. Only PostgreSQL cannot be missed.',
    tag: 'Health',
    auth: 'none',
    request: {},
    responses: {
      200: { description: 'Ready, possibly degraded', contentType: 'application/json', schema: readiness },
      503: {
        description: 'PostgreSQL cannot be reached',
        contentType: 'application/json',
        schema: readiness,
      },
    },
    errors: [],
    handler: async () => {
      const states = await look();
      const degraded = DEPENDENCIES.filter((_, index) => states[index] === 'down');
      const unavailable = degraded.includes('postgres');
      const status = unavailable ? 'unavailable' : degraded.length > 0 ? 'degraded' : 'ok';
      const shown = Object.fromEntries(DEPENDENCIES.map((name, index) => [name, states[index]]));
      return json(unavailable ? 503 : 200, { status, degraded, checks: shown });
    },
  });
  return [healthz, readyz];
}

/** @param document the OpenAPI document; asked for once, at the first request */
export function openApiRoute(document: () => unknown): Route {
  let body: Buffer | undefined;
  return defineRoute({
    method: 'get',
    path: '/openapi.json',
    priority: 'exempt',
    summary: 'This document',
    tag: 'Health',
    auth: 'none',
    request: {},
    responses: { 200: { description: 'OpenAPI 3.1', contentType: 'application/json' } },
    errors: [],
    handler: () => {
      body ??= Buffer.from(JSON.stringify(document()));
      return Promise.resolve({ status: 200, raw: { contentType: 'application/json; charset=utf-8', body } });
    },
  });
}
