/** The API's frame: every request goes the same way through it, and the routes are data. */
import express from 'express';
import type { ErrorRequestHandler, Express, Request, RequestHandler, Response } from 'express';
import { fail, refuse } from '../domain/errors';
import type { Logger } from '../observability/logger';
import type { Authenticate } from './auth';
import { loggableError, publicErrorOf, RefusalWithHeaders } from './errors';
import { IdempotentRequest } from './idempotency';
import type { IdempotencyDeps } from './idempotency';
import { scopeOf } from './idempotency-scope';
import { tell } from './language';
import { TierLimitReached } from './limits/refusals';
import type { RateLimit } from './limits/rate-limit';
import { contextOf, requestContext } from './request-context';
import type { RequestObserver } from './request-context';
import { isToBeChecked } from './signing/check';
import type { SignatureCheck } from './signing/check';
import type { Caller, RawAnswer, Route, RouteAnswer } from './route';
import { assertSaneValue, parseJson, requireJson, validate } from './validation';

export const MAX_BODY_BYTES = 64 * 1024;

export interface AppDeps {
  /** In the order in which they are tried: of two paths that match the same address, the fixed one comes first. */
  readonly routes: readonly Route[];
  readonly logger: Logger;
  readonly authenticate: Authenticate;
  readonly idempotency: Omit<IdempotencyDeps, 'logger'>;
  readonly checkSignature: SignatureCheck;
  readonly limits: RateLimit;
  readonly observer: RequestObserver;
}

export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.set('query parser', 'simple');
  app.use(requestContext(deps.logger, deps.observer));
  for (const route of deps.routes) {
    app[route.method](route.path.replace(/\{(\w+)\}/g, ':$1'), handlerOf(route, deps));
  }
  app.use(noSuchRoute(deps.routes, deps.limits));
  app.use(answerError(deps.logger));
  return app;
}

function handlerOf(route: Route, deps: AppDeps): RequestHandler {
  const readBytes = bodyReaderOf(route);
  const idempotency = { ...deps.idempotency, logger: deps.logger };
  return async (req, res) => {
    const context = contextOf(res);
    context.route = route.path;
    // What is known at once is not awaited: each promise less is felt, where a request has dozens.
    const asked = callerOf(route, req, deps);
    const caller = asked instanceof Promise ? await asked : asked;
    if (caller.kind === 'merchant') {
      context.merchantId = caller.merchantId;
      if (route.priority !== 'exempt') await deps.limits.admit(caller.merchantId, route.priority, res);
    }
    const isSigned = isToBeChecked(caller, req.headers);
    // What is signed is the body as it came, also where the route takes none.
    const read = isSigned ? readAnyBytes : readBytes;
    const bytes = read === undefined ? NO_BYTES : await read(req, res);
    if (isSigned) await deps.checkSignature(caller, req, bytes);
    const given = { params: { ...req.params }, query: queryOf(req), body: bodyOf(route, req, bytes) };
    assertSaneValue(given.params, 'params');
    assertSaneValue(given.query, 'query');
    assertSaneValue(given.body, 'body');
    const input = validate(route.request, given);
    const answer = await route.handler({
      ...input,
      caller,
      requestId: context.requestId,
      idem: new IdempotentRequest(idempotency, scopeOf(route, caller, req.headers, given)),
      rawBody: bytes,
      headers: req.headers,
    });
    send(req, res, answer);
  };
}

function callerOf(
  route: Route,
  req: Request,
  { authenticate, limits }: Pick<AppDeps, 'authenticate' | 'limits'>,
): Caller | Promise<Caller> {
  limits.beforeAuthentication(req, route);
  if (route.auth === 'none') {
    if (route.priority !== 'exempt') limits.noteStranger(req);
    return { kind: 'none' };
  }
  const allowed = (caller: Caller | undefined): Caller => {
    if (caller === undefined) {
      limits.noteStranger(req);
      throw fail('UNAUTHENTICATED');
    }
    if (caller.kind !== route.auth) {
      limits.noteStranger(req);
      throw fail('FORBIDDEN');
    }
    return caller;
  };
  const named = authenticate(req.headers.authorization);
  return named instanceof Promise ? named.then(allowed) : allowed(named);
}

const NO_BYTES = Buffer.alloc(0);

type BodyReader = (req: Request, res: Response) => Promise<Buffer>;

/**
 * Reads the body as bytes, whatever it is, up to the route's limit. Compressed bodies are refused: they can explode.
 * @returns undefined for a route that takes none
 */
function bodyReaderOf(route: Route): BodyReader | undefined {
  if (route.rawBody === undefined && route.request.body === undefined) return undefined;
  return route.rawBody === undefined ? readAnyBytes : bodyReader(route.rawBody.maxBytes);
}

function bodyReader(limit: number): BodyReader {
  const read = express.raw({ type: () => true, inflate: false, limit });
  return (req, res) =>
    new Promise((resolve, reject) => {
      read(req, res, (error?: unknown) => {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as the reader gave it
        if (error) reject(error);
        else if (Buffer.isBuffer(req.body)) resolve(req.body);
        // The reader takes a connection that has gone for a body that was read before. An empty body would mean something.
        else if (isBodyAnnounced(req)) reject(endedEarly());
        else resolve(NO_BYTES);
      });
    });
}

const isBodyAnnounced = ({ headers }: Request): boolean =>
  headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined;

const endedEarly = () =>
  new RefusalWithHeaders(refuse('INVALID_REQUEST', undefined, 'The body ended early.'), {});

const readAnyBytes = bodyReader(MAX_BODY_BYTES);

/** Express parses the address again for each look at the query. */
function queryOf(req: Request): unknown {
  return req.url.includes('?') ? { ...req.query } : {};
}

/** An empty body, whatever it is announced as, is an empty object: whether that will do is the schema's business. */
function bodyOf(route: Route, req: Request, bytes: Buffer): unknown {
  if (route.rawBody !== undefined || route.request.body === undefined) return {};
  if (bytes.length === 0) return {};
  requireJson(req.headers);
  return parseJson(bytes);
}

function send(req: Request, res: Response, answer: RouteAnswer | RawAnswer): void {
  setHeaders(res, answer.headers);
  if ('raw' in answer) {
    res.status(answer.status).type(answer.raw.contentType).send(answer.raw.body);
  } else {
    const { status, message = 'Success', data } = answer;
    tell(req, res, status, { code: 'SUCCESS', message, data });
  }
}

function setHeaders(res: Response, headers: Readonly<Record<string, string>> = {}): void {
  contextOf(res).replayed = headers['Idempotent-Replayed'] !== undefined;
  for (const name in headers) res.setHeader(name, headers[name] ?? '');
}

const NO_ROUTE = { auth: 'none', priority: 'read' } as const;

/** What no route has answered: 405 when another method would do, else 404. */
function noSuchRoute(routes: readonly Route[], limits: RateLimit): RequestHandler {
  const patterns = routes.map(({ method, path }) => ({
    method,
    pattern: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}/?$`),
  }));
  return (req) => {
    limits.beforeAuthentication(req, NO_ROUTE);
    limits.noteStranger(req);
    const methods = patterns.filter(({ pattern }) => pattern.test(req.path)).map(({ method }) => method);
    if (methods.length === 0) throw fail('ROUTE_NOT_FOUND');
    const allowed = new Set(
      methods.flatMap((method) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()])),
    );
    throw new RefusalWithHeaders(refuse('METHOD_NOT_ALLOWED'), { Allow: [...allowed].sort().join(', ') });
  };
}

/** Express recognises a handler of errors by its four parameters. */
function answerError(logger: Logger): ErrorRequestHandler {
  return (error: unknown, req, res, _next) => {
    const context = contextOf(res);
    const { status, refusal, headers, internal } = publicErrorOf(error);
    if (internal)
      logger.error({ request_id: context.requestId, err: loggableError(error) }, 'a request failed');
    context.errorCode = refusal.code;
    if (res.headersSent) return void res.destroy();
    setHeaders(res, headers);
    const tier = error instanceof TierLimitReached ? { tier: error.tier } : {};
    tell(req, res, status, { ...refusal, ...tier, request_id: context.requestId });
  };
}
