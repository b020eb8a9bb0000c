/** Whoever prefers Chinese is told everything in Chinese, and everybody else in English. */
import { z } from 'zod';
import { defineRoute } from '../../src/api/route';
import type { Route } from '../../src/api/route';
import { fail } from '../../src/domain/errors';
import type { ErrorCode } from '../../src/domain/errors';
import { ERROR_SENTENCES } from '../../src/domain/messages/error-sentences';
import { startBareApi } from './docs-harness';
import type { BareApi } from './docs-harness';

const CHINESE = /[\u4e00-\u9fff]/;
/** Three words of English in a row. */
const ENGLISH = /[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}/;
const CODES = Object.keys(ERROR_SENTENCES) as ErrorCode[];

const common = { method: 'post', auth: 'none', tag: 'Test', summary: 'Test' } as const;
const body = z.strictObject({
  amount: z.int().positive('must be greater than 0'),
  currency: z.enum(['USD', 'EUR']),
  email: z.email().optional(),
  items: z.array(z.strictObject({ name: z.string().min(1) })).max(1).optional(),
}); // prettier-ignore

const routes: Route[] = [
  ...CODES.map((code) =>
    defineRoute({
      ...common,
      path: `/t/${code}`,
      request: {},
      responses: { 200: { description: 'Never' } },
      errors: [code],
      handler: () => Promise.reject(fail(code, { reason: 'its port is not allowed', state: 'closed' })),
    }),
  ),
  defineRoute({
    ...common,
    path: '/t/echo',
    request: { body },
    responses: { 200: { description: 'Echo' } },
    errors: [],
    handler: ({ body: data }) => Promise.resolve({ status: 200, data, message: 'Payment created' }),
  }),
];

interface Told {
  code: string;
  message: string;
  details?: { reason?: string; issues?: { path: string; message: string }[] };
}

describe('the language of an answer', () => {
  let api: BareApi;
  beforeAll(async () => {
    api = await startBareApi(routes);
  });
  afterAll(() => api.close());

  const post = async (path: string, language?: string, json?: unknown) => {
    const answer = await api.ask(path, {
      method: 'POST',
      headers: {
        ...(language !== undefined && { 'accept-language': language }),
        ...(json !== undefined && { 'content-type': 'application/json' }),
      },
      ...(json !== undefined && { body: JSON.stringify(json) }),
    });
    return { ...answer, told: JSON.parse(answer.text) as Told };
  };

  test.each(CODES)('%s', async (code) => {
    const zh = await post(`/t/${code}`, 'zh-CN,zh;q=0.9,en;q=0.8');
    expect(zh.told).toMatchObject({ code, message: ERROR_SENTENCES[code].zh, details: { state: 'closed' } });
    expect(zh.told.details?.reason).toBe('端口不被允许');
    expect(zh.text).not.toMatch(ENGLISH);
    expect([zh.headers.get('content-language'), zh.headers.get('vary')]).toEqual(['zh', 'Accept-Language']);
    const en = await post(`/t/${code}`);
    expect(en.told.message).toBe(ERROR_SENTENCES[code].en);
    expect([en.headers.get('content-language'), en.headers.get('vary')]).toEqual(['en', 'Accept-Language']);
  });

  test.each([
    [undefined, 'en'],
    ['', 'en'],
    ['*', 'en'],
    ['zh', 'zh'],
    ['zh-TW', 'zh'],
    ['zh-Hans-CN', 'zh'],
    ['en;q=0.5, zh;q=0.6', 'zh'],
    ['en;q=0.9, zh;q=0.8', 'en'],
    ['fr, zh;q=0.1', 'zh'],
    ['fr', 'en'],
    ['zh;q=0', 'en'],
    [';;;=,,q', 'en'],
  ])('Accept-Language: %s -> %s', async (given, expected) => {
    const { headers } = await post('/t/NOT_FOUND', given);
    expect(headers.get('content-language')).toBe(expected);
  });

  it('every issue of a field is told in it', async () => {
    const wrong = { amount: 0, currency: 'XXX', email: 'x', items: [{ name: '' }, { nam: 1 }], more: 1 };
    const { told, text } = await post('/t/echo', 'zh', wrong);
    expect(told.details?.issues).toHaveLength(5);
    for (const issue of told.details?.issues ?? []) expect(issue.message).toMatch(CHINESE);
    expect(text).not.toMatch(ENGLISH);
    const same = await post('/t/echo', 'en', wrong);
    expect(same.told.details?.issues?.map(({ path }) => path)).toEqual(
      told.details?.issues?.map(({ path }) => path),
    );
    expect(same.text).not.toMatch(CHINESE);
  });

  it('what is not there, and what is no JSON, is told in it too', async () => {
    expect((await api.ask('/nowhere', { headers: { 'accept-language': 'zh' } })).text).toContain('没有这个地址');
    const broken = await api.ask('/t/echo', {
      method: 'POST',
      headers: { 'accept-language': 'zh', 'content-type': 'application/json' },
      body: '{',
    });
    expect(broken.text).toContain(ERROR_SENTENCES.INVALID_JSON.zh);
  });

  it('so is a success; data stay as they are', async () => {
    const data = { amount: 1, currency: 'USD', email: 'shop@example.com' };
    expect((await post('/t/echo', 'zh', data)).told).toEqual({ code: 'SUCCESS', message: '支付已创建', data });
  });

}); // prettier-ignore
