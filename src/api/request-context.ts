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
  replayed: boolean;
}

const SANE_REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;
/** nginx's number for "the client went away before the answer". */
const CLIENT_CLOSED_REQUEST = 499;

export function contextOf(res: Response): RequestContext {
  return (res.locals as { context: RequestContext }).context;
}

/** Gives every request an id, the caller's own when it is sane, the headers every answer has, and one log line. */
export function requestContext(logger: Logger): RequestHandler {
  return (req, res, next) => {
    const startedAt = process.hrtime.bigint();
    const given = req.get('x-request-id');
    const requestId = given !== undefined && SANE_REQUEST_ID.test(given) ? given : randomUUID();
    const context: RequestContext = {
      requestId,
      route: '',
      merchantId: undefined,
      errorCode: undefined,
      replayed: false,
    };
    (res.locals as { context: RequestContext }).context = context;
    res.set({ 'X-Request-Id': requestId, 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-store' });
    res.once('close', () => {
      const status = res.writableFinished ? res.statusCode : CLIENT_CLOSED_REQUEST;
      const line = {
        method: req.method,
        route: context.route,
        status,
        duration_ms: Math.round(Number(process.hrtime.bigint() - startedAt) / 1e4) / 100,
        request_id: requestId,
        merchant_id: context.merchantId,
        code: context.errorCode,
        replayed: context.replayed ? true : undefined,
      };
      if (status >= 500) logger.error(line, 'request');
      else logger.info(line, 'request');
    });
    next();
  };
}
