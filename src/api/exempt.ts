/**
 * Routes that nobody is asked a key for and no limit holds: health, documents, and the events of channels, which are believed by
 * their signature. What they must not become is a way around the limits of all the others.
 */
import type { Request, Response } from 'express';
import { publicErrorOf } from './errors';
import type { RateLimit } from './limits/rate-limit';
import { setAtWork } from './request-context';
import type { RequestObserver } from './request-context';
import type { Route } from './route';

type Handler = (req: Request, res: Response) => Promise<void>;

interface Frame {
  readonly limits: Pick<RateLimit, 'refuseBlocked' | 'noteStranger'>;
  readonly observer: RequestObserver;
}

/**
 * Whoever is refused is a stranger, and counts towards the limit of addresses. An address that has reached it may still ask for
 * what is known: a channel has few addresses, and one merchant's wrong secret must not keep the others' events away.
 */
export function withoutLimits(handle: Handler, { isKnown }: Pick<Route, 'isKnown'>, frame: Frame): Handler {
  const { limits, observer } = frame;
  return async (req, res) => {
    // Not counted again: trying again must not make it worse.
    if (isKnown?.(req.params) === false) limits.refuseBlocked(req);
    try {
      await handle(req, res);
    } catch (error) {
      if (publicErrorOf(error).status < 500) limits.noteStranger(req);
      throw error;
    } finally {
      // Who is slow to read an answer is no work either.
      setAtWork(res, observer, false);
    }
  };
}

/** Until its body is here a request is no work: slow senders, whom nobody limits, would have merchants refused. */
export function whileArriving<T>(
  read: (req: Request, res: Response) => Promise<T>,
  observer: RequestObserver,
): (req: Request, res: Response) => Promise<T> {
  return async (req, res) => {
    setAtWork(res, observer, false);
    const body = await read(req, res);
    setAtWork(res, observer, true);
    return body;
  };
}
