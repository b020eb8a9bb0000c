/** The API's frame: every request goes the same way through it, and the routes are data. */
import express from 'express';
import type { ErrorRequestHandler, Express, Request, RequestHandler, Response } from 'express';
import { fail, refuse } from '../domain/errors';
import type { Logger } from '../observability/logger';
import type { Authenticate } from './auth';
import { loggableError, publicErrorOf, RefusalWithHeaders } from './errors';
import { canonicalHash, IdempotentRequest, keyHashOf } from './idempotency';
import type { IdempotencyDeps, RequestScope } from './idempotency';
import { contextOf, requestContext } from './request-context';
import { routeName } from './route';
import type { Caller, RawAnswer, Route, RouteAnswer } from './route';
import { assertSaneValue, parseJson, requireJson, validate } from './validation';

export const MAX_BODY_BYTES = 64 * 1024;

export interface AppDeps {
  /** In the order in which they are tried: of two paths that match the same address, the fixed one comes first. */
  readonly routes: readonly Route[];
  readonly logger: Logger;
  readonly authenticate: Authenticate;
  readonly idempotency: Omit<IdempotencyDeps, 'logger'>;
}

export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.set('query parser', 'simple');
  app.use(requestContext(deps.logger));
  for (const route of deps.routes) {
    app[route.method](route.path.replace(/\{(\w+)\}/g, ':$1'), handlerOf(route, deps));
  }
  app.use(noSuchRoute(deps.routes));
  app.use(answerError(deps.logger));
  return app;
}

function handlerOf(route: Route, deps: AppDeps): RequestHandler {
  const readBytes = bodyReaderOf(route);
  const idempotency = { ...deps.idempotency, logger: deps.logger };
  return async (req, res) => {
    const context = contextOf(res);
    context.route = route.path;
    const caller = await callerOf(route, req, deps.authenticate);
    if (caller.kind === 'merchant') context.merchantId = caller.merchantId;
    const bytes = await readBytes(req, res);
    const given = { params: { ...req.params }, query: { ...req.query }, body: bodyOf(route, req, bytes) };
    for (const [part, value] of Object.entries(given)) assertSaneValue(value, part);
    const input = validate(route.request, given);
    const answer = await route.handler({
      ...input,
      caller,
      requestId: context.requestId,
      idem: new IdempotentRequest(idempotency, scopeOf(route, caller, req, given)),
      rawBody: bytes,
      headers: req.headers,
    });
    send(res, answer);
  };
}

async function callerOf(route: Route, req: Request, authenticate: Authenticate): Promise<Caller> {
  if (route.auth === 'none') return { kind: 'none' };
  const caller = await authenticate(req.headers.authorization);
  if (caller === undefined) throw fail('UNAUTHENTICATED');
  if (caller.kind !== route.auth) throw fail('FORBIDDEN');
  return caller;
}

const NO_BYTES = Buffer.alloc(0);

/** Reads the body as bytes, whatever it is, up to the route's limit. Compressed bodies are refused: they can explode. */
function bodyReaderOf(route: Route): (req: Request, res: Response) => Promise<Buffer> {
  if (route.rawBody === undefined && route.request.body === undefined) return () => Promise.resolve(NO_BYTES);
  const limit = route.rawBody?.maxBytes ?? MAX_BODY_BYTES;
  const read = express.raw({ type: () => true, inflate: false, limit });
  return (req, res) =>
    new Promise((resolve, reject) => {
      read(req, res, (error?: unknown) => {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as the reader gave it
        if (error) reject(error);
        else resolve(Buffer.isBuffer(req.body) ? req.body : NO_BYTES);
      });
    });
}

/** An empty body, whatever it is announced as, is an empty object: whether that will do is the schema's business. */
function bodyOf(route: Route, req: Request, bytes: Buffer): unknown {
  if (route.rawBody !== undefined || route.request.body === undefined) return {};
  if (bytes.length === 0) return {};
  requireJson(req.headers);
  return parseJson(bytes);
}

function scopeOf(
  route: Route,
  caller: Caller,
  req: Request,
  given: { params: unknown; body: unknown },
): RequestScope | undefined {
  if (route.idempotent !== true || caller.kind !== 'merchant') return undefined;
  const keyHash = keyHashOf(req.headers['idempotency-key']);
  if (keyHash === undefined) return undefined;
  const bodyHash = canonicalHash({ params: given.params, body: given.body });
  return { merchantId: caller.merchantId, route: routeName(route), keyHash, bodyHash };
}

function send(res: Response, answer: RouteAnswer | RawAnswer): void {
  const headers = answer.headers ?? {};
  contextOf(res).replayed = headers['Idempotent-Replayed'] !== undefined;
  res.status(answer.status).set(headers);
  if ('raw' in answer) res.type(answer.raw.contentType).send(answer.raw.body);
  else res.json({ code: 'SUCCESS', message: answer.message ?? 'Success', data: answer.data });
}

/** What no route has answered: 405 when another method would do, else 404. */
function noSuchRoute(routes: readonly Route[]): RequestHandler {
  const patterns = routes.map(({ method, path }) => ({
    method,
    pattern: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}/?$`),
  }));
  return (req) => {
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
  return (error: unknown, _req, res, _next) => {
    const context = contextOf(res);
    const { status, refusal, headers, internal } = publicErrorOf(error);
    if (internal)
      logger.error({ request_id: context.requestId, err: loggableError(error) }, 'a request failed');
    context.errorCode = refusal.code;
    context.replayed = headers['Idempotent-Replayed'] !== undefined;
    if (res.headersSent) return void res.destroy();
    res
      .status(status)
      .set(headers)
      .json({ ...refusal, request_id: context.requestId });
  };
}
