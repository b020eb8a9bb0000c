/** The API's frame: every request goes the same way through it, and the routes are data. */
import express from 'express';
import type { ErrorRequestHandler, Express, Request, RequestHandler, Response } from 'express';
import { fail, refuse } from '../domain/errors';
import type { Logger } from '../observability/logger';
import type { Tracing } from '../observability/tracing';
import type { Authenticate } from './auth';
import { loggableError, publicErrorOf, RefusalWithHeaders } from './errors';
import { whileArriving, withoutLimits } from './exempt';
import { IdempotentRequest } from './idempotency';
import type { IdempotencyDeps } from './idempotency';
import { scopeOf } from './idempotency-scope';
import { tell } from './language';
import { TierLimitReached } from './limits/refusals';
import type { RateLimit } from './limits/rate-limit';
import type { Operators } from './operators';
import { contextOf, requestContext } from './request-context';
import type { RequestObserver } from './request-context';
import { isToBeChecked } from './signing/check';
import { traceRequests } from './trace-requests';
import type { SignatureCheck } from './signing/check';
import type { AdminCaller, Caller, RawAnswer, Route, RouteAnswer } from './route';
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
  readonly operators: Operators;
  readonly observer: RequestObserver;
  readonly tracing?: Tracing | undefined;
}

export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.set('query parser', 'simple');
  app.use(requestContext(deps.logger, deps.observer));
  if (deps.tracing !== undefined) app.use(traceRequests(deps.tracing));
  for (const route of deps.routes) {
    const handle = handlerOf(route, deps);
    app[route.method](
      route.path.replace(/\{(\w+)\}/g, ':$1'),
      route.priority === 'exempt' ? withoutLimits(handle, route, deps) : handle,
    );
  }
  app.use(noSuchRoute(deps.routes, deps.limits));
  app.use(noReadableAddress(deps.limits));
  app.use(answerError(deps.logger));
  return app;
}

function handlerOf(route: Route, deps: AppDeps): (req: Request, res: Response) => Promise<void> {
  const readBytes = bodyReaderOf(route, deps.observer);
  const idempotency = { ...deps.idempotency, logger: deps.logger };
  return async (req, res) => {
    const context = contextOf(res);
    context.route = route.path;
    // What is known at once is not awaited: each promise less is felt, where a request has dozens.
    const asked = callerOf(route, req, deps);
    const caller = asked instanceof Promise ? await asked : asked;
    if (caller.kind === 'admin') await admitOperator(route, caller, req, context.requestId, deps);
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
    const { requestId } = context;
    const handled = {
      ...{ ...input, caller, requestId, rawBody: bytes, headers: req.headers },
      idem: new IdempotentRequest(idempotency, scopeOf(route, caller, req.headers, given)),
    };
    const answer =
      caller.kind === 'admin'
        ? await deps.operators.carryOut(route, { ...handled, caller, params: req.params }, () =>
            route.handler(handled),
          )
        : await route.handler(handled);
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

/** @throws HoldfastError FORBIDDEN where the role of the operator's key does not reach */
async function admitOperator(
  route: Route,
  caller: AdminCaller,
  req: Request,
  requestId: string,
  { operators, limits }: Pick<AppDeps, 'operators' | 'limits'>,
): Promise<void> {
  const refusal = operators.refusalOf(route, { caller, params: req.params, requestId });
  if (refusal === undefined) return;
  // Each refusal is kept for good: whoever asks for many is slowed down as a stranger is.
  limits.noteStranger(req);
  throw await refusal;
}

const NO_BYTES = Buffer.alloc(0);

type BodyReader = (req: Request, res: Response) => Promise<Buffer>;

/**
 * Reads the body as bytes, whatever it is, up to the route's limit. Compressed bodies are refused: they can explode.
 * @returns undefined for a route that takes none
 */
function bodyReaderOf(route: Route, observer: RequestObserver): BodyReader | undefined {
  if (route.rawBody === undefined && route.request.body === undefined) return undefined;
  const read = route.rawBody === undefined ? readAnyBytes : bodyReader(route.rawBody.maxBytes);
  return route.priority === 'exempt' ? whileArriving(read, observer) : read;
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

/** An address whose escapes are none comes to no route, and to no limit before one: it is counted as one that there is not. */
function noReadableAddress(limits: RateLimit): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    if (error instanceof URIError && contextOf(res).route === '') {
      limits.beforeAuthentication(req, NO_ROUTE);
      limits.noteStranger(req);
    }
    next(error);
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
