/** The language an answer speaks: Chinese where Accept-Language prefers it, else English. */
import type { IncomingMessage } from 'node:http';
import { request as expressRequest } from 'express';
import type { Request, Response } from 'express';
import { localized } from '../domain/messages/localize';
import type { Told } from '../domain/messages/localize';
import type { Language } from '../domain/messages/sentence';

/** The first is spoken to whoever asks for none, or for one that we do not speak. */
const LANGUAGES: readonly Language[] = ['en', 'zh'];

const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * Answers in the envelope, in the caller's language, whoever made the answer: also a refusal that was stored under an
 * Idempotency-Key, whose repeat may ask in another language than the first request did. Not by Express's json(), which looks
 * after ETags and caches that our answers do not have.
 */
export function tell<T extends Told>(req: Request, res: Response, status: number, told: T): void {
  const language = languageOf(req);
  const body = JSON.stringify(localized(told, language));
  res.statusCode = status;
  res.setHeader('Content-Type', JSON_TYPE);
  res.setHeader('Content-Language', language);
  res.setHeader('Vary', 'Accept-Language');
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(body);
}

type Negotiate = (this: Pick<IncomingMessage, 'headers'>, languages: Language[]) => string | false;

/** Quality values and regions (`zh-CN;q=0.9`) are the negotiator's business, which Express asks; it may not have seen this request. */
export function languageOf(req: Pick<IncomingMessage, 'headers'>): Language {
  if (req.headers['accept-language'] === undefined) return 'en';
  const preferred = (expressRequest.acceptsLanguages as Negotiate).call(req, [...LANGUAGES]);
  return preferred === 'zh' ? 'zh' : 'en';
}
