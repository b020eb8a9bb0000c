/** Every request as a span, the first of its trace or the next of its caller's. */
import type { RequestHandler } from 'express';
import type { Tracing } from '../observability/tracing';
import { contextOf } from './request-context';

/** Probers ask every few seconds, and nobody wants to see that. */
const UNTRACED: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

/** Comes after requestContext, whose findings the span shows. */
export function traceRequests(tracing: Tracing): RequestHandler {
  return (req, res, next) => {
    if (UNTRACED.has(req.path)) return next();
    const span = tracing.request(req.method, req.headers);
    const request = contextOf(res);
    request.traceId = span.traceId;
    res.once('close', () => {
      const { route, requestId, merchantId, errorCode } = request;
      const { statusCode: status } = res;
      const attributes = {
        'http.request.method': req.method,
        'http.route': route,
        'http.response.status_code': status,
        'holdfast.request_id': requestId,
        ...(merchantId !== undefined && { 'holdfast.merchant_id': merchantId }),
        ...(errorCode !== undefined && { 'error.type': errorCode }),
      };
      span.end(route === '' ? req.method : `${req.method} ${route}`, attributes, status >= 500);
    });
    span.run(next);
  };
}
