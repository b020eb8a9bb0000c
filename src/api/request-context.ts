/** What is known of a request while it is worked on, its id, and its one log line at the end. */
import { randomUUID } from 'node:crypto';
import type { RequestHandler, Response } from 'express';
import type { Logger } from '../observability/logger';

export interface RequestContext {
  readonly requestId: string;
  /** The path pattern, once a route is found: never the path itself, which carries numbers of customers. */
  route: string;
  merchantId: string | undefined;
  errorCode: string | undefined;
  /** Of the trace it is part of, where there are traces. */
  traceId: string | undefined;
  replayed: boolean;
  /** Counted as work by the observer, which is told when that ends. */
  isAtWork: boolean;
  /** The response is done with, or its connection is gone. */
  isClosed: boolean;
  /** What is to be given back then. Must not throw. */
  onClose: (() => void) | undefined;
}

/** Who is told of every request; nothing here may throw. */
export interface RequestObserver {
  /** A request is at work from now on: as a rule as soon as it has come. */
  works(): void;
  /** It is no longer: as a rule because it has ended. */
  rests(): void;
  /** @param route the pattern of the address; empty when there is no such route */
  left(method: string, route: string, status: number, seconds: number): void;
}

const SANE_REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;
/** nginx's number for "the client went away before the answer". */
const CLIENT_CLOSED_REQUEST = 499;

export function contextOf(res: Response): RequestContext {
  return (res.locals as { context: RequestContext }).context;
}

/** Says that this request is at work, or is not. */
export function setAtWork(res: Response, observer: RequestObserver, isAtWork: boolean): void {
  const context = contextOf(res);
  if (context.isAtWork === isAtWork || context.isClosed) return;
  context.isAtWork = isAtWork;
  if (isAtWork) observer.works();
  else observer.rests();
}

/** Gives every request an id, the caller's own when it is sane, the headers every answer has, and one log line. */
export function requestContext(logger: Logger, observer: RequestObserver): RequestHandler {
  return (req, res, next) => {
    const startedAtMs = performance.now();
    const given = req.headers['x-request-id'];
    const requestId = typeof given === 'string' && SANE_REQUEST_ID.test(given) ? given : randomUUID();
    const context: RequestContext = {
      requestId,
      route: '',
      merchantId: undefined,
      errorCode: undefined,
      traceId: undefined,
      replayed: false,
      isAtWork: true,
      isClosed: false,
      onClose: undefined,
    };
    (res.locals as { context: RequestContext }).context = context;
    res.setHeader('X-Request-Id', requestId);
    res.setHeader('X-Content-Type-Options', 'nosniff');
    res.setHeader('Cache-Control', 'no-store');
    observer.works();
    res.once('close', () => {
      context.isClosed = true;
      if (context.isAtWork) observer.rests();
      context.onClose?.();
      const status = res.writableFinished ? res.statusCode : CLIENT_CLOSED_REQUEST;
      const durationMs = performance.now() - startedAtMs;
      observer.left(req.method, context.route, status, durationMs / 1000);
      logRequest(logger, req.method, status, durationMs, context);
    });
    next();
  };
}

function logRequest(
  logger: Logger,
  method: string,
  status: number,
  durationMs: number,
  context: RequestContext,
): void {
  const isOurs = status >= 500;
  if (!isOurs && !logger.isLevelEnabled('info')) return;
  const line = {
    method,
    route: context.route,
    status,
    duration_ms: Math.round(durationMs * 100) / 100,
    request_id: context.requestId,
    merchant_id: context.merchantId,
    trace_id: context.traceId,
    code: context.errorCode,
    replayed: context.replayed ? true : undefined,
  };
  if (isOurs) logger.error(line, 'request');
  else logger.info(line, 'request');
}
