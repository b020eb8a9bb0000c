/**
 * A route is data: address, who may call it, the schemas of what goes in and out, the errors it may answer, and a
 * handler of a few lines. Validation, authentication, idempotency and the OpenAPI document follow from it.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { AdminRole } from '../domain/admin-role';
import type { World } from '../domain/channel';
import type { ErrorCode } from '../domain/errors';
import type { Priority } from '../domain/limits/load';
import type { SigningMode } from '../stores/request-signing';
import type { IdempotentRequest } from './idempotency';

export interface MerchantCaller {
  readonly kind: 'merchant';
  readonly merchantId: string;
  readonly world: World;
  /** A suspended merchant may finish what it began: whether that is so is the handler's judgement. */
  readonly status: 'active' | 'suspended';
  /** Whether this merchant's requests must be signed. */
  readonly signing: SigningMode;
}
export interface AdminCaller {
  readonly kind: 'admin';
  /** As it stands in the audit. */
  readonly name: string;
  readonly role: AdminRole;
  /** null: the key of the environment. */
  readonly keyId: string | null;
}
export interface NoCaller {
  readonly kind: 'none';
}
export type Caller = MerchantCaller | AdminCaller | NoCaller;
export type Auth = Caller['kind'];
export type CallerOf<A extends Auth> = Extract<Caller, { kind: A }>;

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** An answer in the envelope: `{ code: 'SUCCESS', message, data }`. */
export interface RouteAnswer {
  readonly status: number;
  readonly data: unknown;
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer without an envelope. */
export interface RawAnswer {
  readonly status: number;
  /** As bytes where it is large and the same for all: a text is copied for each answer, and kept until the client has read it. */
  readonly raw: { readonly contentType: string; readonly body: string | Buffer };
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RouteInput<P, Q, B, A extends Auth> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly caller: CallerOf<A>;
  readonly requestId: string;
  /** Without an Idempotency-Key, and on routes that take none, its run() just works and stores nothing. */
  readonly idem: IdempotentRequest;
  /** The bytes as they came; empty unless the route asked for them by `rawBody`. */
  readonly rawBody: Buffer;
  readonly headers: IncomingHttpHeaders;
}

export interface RouteResponse {
  readonly description: string;
  /** Of `data`, or of the whole body when `contentType` is given. */
  readonly schema?: z.ZodType;
  readonly example?: unknown;
  /** Given for answers without an envelope. */
  readonly contentType?: string;
}

interface RouteSpec<P, Q, B, A extends Auth> {
  readonly method: Method;
  /** OpenAPI style: `/api/v1/pre-auth/{pre_auth_no}`. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  readonly auth: A;
  /** Of an operator's route, who may call it; as a rule a GET is a `viewer`'s and everything else an `admin`'s. */
  readonly role?: AdminRole;
  /** Takes an Idempotency-Key: every POST that creates or changes does. */
  readonly idempotent?: boolean;
  /** What is given up first when there is too much to do; as a rule a GET is a `read` and everything else a `create`. */
  readonly priority?: Priority;
  /** Object schemas must be strict: unknown fields are refused. A body may be absent when every field is optional. */
  readonly request: {
    readonly params?: z.ZodType<P> & z.ZodObject;
    readonly query?: z.ZodType<Q> & z.ZodObject;
    readonly body?: z.ZodType<B>;
  };
  readonly responses: Readonly<Record<number, RouteResponse>>;
  /** The codes this handler throws; those of the frame (no key, broken JSON, ...) are added by themselves. */
  readonly errors: readonly ErrorCode[];
  /**
   * Of an exempt route, by the parameters as they came: whether what they name is known without asking anybody. An address
   * that has sent too much may name nothing else there.
   */
  readonly isKnown?: (params: Readonly<Record<string, string | string[] | undefined>>) => boolean;
  /** Hands the bytes over unparsed, whatever their content type. */
  readonly rawBody?: { readonly maxBytes: number };
  handler(input: RouteInput<P, Q, B, A>): Promise<RouteAnswer | RawAnswer>;
}

/** A route as the frame sees it. */
export type Route = RouteSpec<unknown, unknown, unknown, Auth> & {
  readonly priority: Priority;
  /** Looked at where `auth` is `admin`. */
  readonly role: AdminRole;
};

type NoFields = Record<string, never>;

/**
 * Defines a route; the types of the handler's input follow from the schemas.
 * @throws Error at start when an object schema would let unknown fields pass
 */
export function defineRoute<A extends Auth, P = NoFields, Q = NoFields, B = NoFields>(
  spec: RouteSpec<P, Q, B, A>,
): Route {
  const { query, body } = spec.request;
  if ([query, body].some((schema) => schema instanceof z.ZodObject && !isStrict(schema))) {
    throw new Error(`${routeName(spec)}: the schemas of a request must be strict (z.strictObject)`);
  }
  if (spec.idempotent === true && spec.auth === 'none') {
    throw new Error(`${routeName(spec)}: an Idempotency-Key is somebody's`);
  }
  const priority = spec.priority ?? (spec.method === 'get' ? 'read' : 'create');
  const role = spec.role ?? (spec.method === 'get' ? 'viewer' : 'admin');
  return { ...spec, priority, role } as unknown as Route;
}

function isStrict(schema: z.ZodObject): boolean {
  return schema.def.catchall instanceof z.ZodNever;
}

/** Names a route in records and logs: `post /api/v1/pre-auth/{pre_auth_no}/capture`. */
export function routeName(route: { method: Method; path: string }): string {
  return `${route.method} ${route.path}`;
}
