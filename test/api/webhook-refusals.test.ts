/** What the webhook routes refuse: what belongs to others, and what has not the form it should have. */
import { randomUUID } from 'node:crypto';
import { errorCodesOf, openApiDocument } from '../../src/api/openapi';
import { routeName } from '../../src/api/route';
import { webhookEndpointRoutes } from '../../src/api/routes/webhook-endpoints';
import { webhookNotificationRoutes } from '../../src/api/routes/webhook-notifications';
import type { WebhookApiDeps } from '../../src/api/webhooks/deps';
import {
  ENDPOINTS,
  insertNotification,
  newEndpoint,
  NOTIFICATIONS,
  otherMerchantKey,
  startWebhookApi,
} from './webhook-harness';
import type { WebhookApi } from './webhook-harness';

const SINCE = { since: '2025-01-24T12:00:00Z' };
const ID = '7b0c4a52-8a0e-4c4b-9a3e-0a5f0d1f6a11';
const ON_ENDPOINT: [string, string, unknown][] = [
  ['GET', '', undefined],
  ['PATCH', '', { enabled: false }],
  ['DELETE', '', undefined],
  ['POST', '/rotate-secret', {}],
  ['POST', '/test', {}],
  ['POST', '/recover', SINCE],
  ['GET', '/health', undefined],
];
const ON_NOTIFICATION: [string, string, unknown][] = [
  ['GET', '', undefined],
  ['POST', '/retry', {}],
];

describe('the webhook routes refuse', () => {
  let harness: WebhookApi;
  let otherKey: string;
  let endpointId: string;
  let notificationId: string;

  beforeAll(async () => {
    harness = await startWebhookApi();
    otherKey = await otherMerchantKey(harness.api);
    ({ id: endpointId } = await newEndpoint(harness));
    notificationId = await insertNotification(harness.api, endpointId, {
      status: 'failed',
      attempts: 6,
      payment_no: 'PA-mine',
    });
  });
  afterAll(() => harness.api.close());

  const asOther = (method: string, path: string, json: unknown) =>
    harness.api.request(method, path, { key: otherKey, ...(json === undefined ? {} : { json }) });

  it.each(ON_ENDPOINT)("%s%s of another merchant's endpoint", async (method, path, json) => {
    const before = await harness.api.db.query('SELECT * FROM webhook_endpoints WHERE id = $1', [endpointId]);
    const foreign = await asOther(method, `${ENDPOINTS}/${endpointId}${path}`, json);
    const absent = await asOther(method, `${ENDPOINTS}/${randomUUID()}${path}`, json);
    expect([foreign.status, foreign.json.code, foreign.json.message]).toEqual([
      404,
      'NOT_FOUND',
      absent.json.message,
    ]);
    expect(
      (await harness.api.db.query('SELECT * FROM webhook_endpoints WHERE id = $1', [endpointId])).rows,
    ).toEqual(before.rows);
  });

  it.each(ON_NOTIFICATION)("%s%s of another merchant's notification", async (method, path, json) => {
    const foreign = await asOther(method, `${NOTIFICATIONS}/${notificationId}${path}`, json);
    expect([foreign.status, foreign.json.code]).toEqual([404, 'NOT_FOUND']);
  });

  it("others' lists", async () => {
    expect((await asOther('GET', ENDPOINTS, undefined)).json.data['items']).toEqual([]);
    for (const query of ['', `?endpoint_id=${endpointId}`, '?payment_no=PA-mine']) {
      expect((await asOther('GET', NOTIFICATIONS + query, undefined)).json.data['items']).toEqual([]);
    }
  });

  it('requests without a key', async () => {
    const answer = await harness.api.request('GET', ENDPOINTS);
    expect([answer.status, answer.json.code]).toEqual([401, 'UNAUTHENTICATED']);
  });

  const url = 'https://shop.example/refused';
  it.each<[string, string, string, unknown, string]>([
    ['no url', 'POST', ENDPOINTS, {}, 'url'],
    ['a url that is no text', 'POST', ENDPOINTS, { url: 7 }, 'url'],
    ['a url of 501 characters', 'POST', ENDPOINTS, { url: `https://a.example/${'x'.repeat(483)}` }, 'url'],
    ['a NUL', 'POST', ENDPOINTS, { url: 'https://a.example/\0' }, 'url'],
    ['an unknown field', 'POST', ENDPOINTS, { url, secret: 'mine' }, 'secret'],
    [
      'an event that does not exist',
      'POST',
      ENDPOINTS,
      { url, event_filter: ['payment.*'] },
      'event_filter.0',
    ],
    [
      'a filter that is no array',
      'POST',
      ENDPOINTS,
      { url, event_filter: 'payment.success' },
      'event_filter',
    ],
    [
      'a filter of 22',
      'POST',
      ENDPOINTS,
      { url, event_filter: Array(22).fill('payment.success') },
      'event_filter',
    ],
    ['41 retries', 'POST', ENDPOINTS, { url, max_retries: 41 }, 'max_retries'],
    ['-1 retries', 'POST', ENDPOINTS, { url, max_retries: -1 }, 'max_retries'],
    ['half a retry', 'POST', ENDPOINTS, { url, max_retries: 1.5 }, 'max_retries'],
    ['enabled as text', 'POST', ENDPOINTS, { url, enabled: 'true' }, 'enabled'],
    ['a body that is no object', 'POST', ENDPOINTS, [], 'body'],
    ['an id that is none', 'PATCH', `${ENDPOINTS}/1`, { enabled: false }, 'id'],
    ['an id with an injection', 'GET', `${ENDPOINTS}/%27%20OR%201%3D1`, undefined, 'id'],
    ['an implicit kind', 'PATCH', `${ENDPOINTS}/${ID}`, { kind: 'implicit' }, 'kind'],
    ['null for a url', 'PATCH', `${ENDPOINTS}/${ID}`, { url: null }, 'url'],
    ['a rotation with a secret', 'POST', `${ENDPOINTS}/${ID}/rotate-secret`, { secret: 'whsec_x' }, 'secret'],
    ['a recovery since ever', 'POST', `${ENDPOINTS}/${ID}/recover`, {}, 'since'],
    ['a recovery since a day', 'POST', `${ENDPOINTS}/${ID}/recover`, { since: '2025-01-24' }, 'since'],
    [
      'a recovery since no day',
      'POST',
      `${ENDPOINTS}/${ID}/recover`,
      { since: '2025-02-30T00:00:00Z' },
      'since',
    ],
    ['a retry with a body', 'POST', `${NOTIFICATIONS}/${ID}/retry`, { attempts: 3 }, 'attempts'],
    ['a status that does not exist', 'GET', `${NOTIFICATIONS}?status=done`, undefined, 'status'],
    ['an endpoint id that is none', 'GET', `${NOTIFICATIONS}?endpoint_id=x`, undefined, 'endpoint_id'],
    ['two statuses', 'GET', `${NOTIFICATIONS}?status=failed&status=pending`, undefined, 'status'],
    ['a number with a blank', 'GET', `${NOTIFICATIONS}?payment_no=a%20b`, undefined, 'payment_no'],
    [
      'a time without a zone',
      'GET',
      `${NOTIFICATIONS}?created_from=2025-01-24T12:00:00`,
      undefined,
      'created_from',
    ],
    ['a cursor that is none', 'GET', `${NOTIFICATIONS}?cursor=abc`, undefined, 'cursor'],
    [
      'a cursor with no uuid',
      'GET',
      `${ENDPOINTS}?cursor=${Buffer.from('[1,"x"]').toString('base64url')}`,
      undefined,
      'cursor',
    ],
    ['a limit of 101', 'GET', `${NOTIFICATIONS}?limit=101`, undefined, 'limit'],
  ])('%s', async (_name, method, path, json, field) => {
    const answer = await harness.ask(method, path, json);
    expect([answer.status, answer.json.code]).toEqual([400, 'INVALID_REQUEST']);
    expect(answer.json.details?.issues?.map((issue) => issue.path)).toContain(field);
  });

  it.each([
    ['http://127.0.0.1/x', 'ADDRESS_NOT_PUBLIC'],
    ['http://[::1]/x', 'ADDRESS_NOT_PUBLIC'],
    ['https://localhost/x', 'ADDRESS_NOT_PUBLIC'],
    ['http://2130706433/', 'ADDRESS_NOT_PUBLIC'],
    ['https://user:pass@shop.example/', 'CREDENTIALS'],
    ['ftp://shop.example/', 'SCHEME_NOT_ALLOWED'],
    ['https://shop.example:25/', 'PORT_BLOCKED'],
    ['not a url', 'NOT_PRINTABLE_ASCII'],
  ])('the url %s (%s), at creation and at change', async (bad, code) => {
    for (const [method, path] of [
      ['POST', ENDPOINTS],
      ['PATCH', `${ENDPOINTS}/${endpointId}`],
    ] as const) {
      const { status, json } = await harness.ask(method, path, { url: bad });
      expect([status, json.code]).toEqual([422, 'WEBHOOK_URL_NOT_ALLOWED']);
      expect(json.details).toEqual({
        field: 'url',
        reason: expect.any(String) as unknown,
        code,
      });
    }
  });

  it('nothing with a 500: instants at the ends of time, uuids in capitals', async () => {
    const times = ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z', '2025-01-24T12:00:00.123456789+14:00'];
    for (const time of times) {
      const query = `created_from=${encodeURIComponent(time)}&created_to=${encodeURIComponent(time)}`;
      expect((await harness.ask('GET', `${NOTIFICATIONS}?${query}`)).status).toBe(200);
      expect((await harness.ask('POST', `${ENDPOINTS}/${endpointId}/recover`, { since: time })).status).toBe(
        200,
      );
    }
    expect((await harness.ask('GET', `${ENDPOINTS}/${endpointId.toUpperCase()}`)).status).toBe(200);
  });

  it('nothing the document does not tell of', () => {
    const routes = [
      ...webhookEndpointRoutes({} as WebhookApiDeps),
      ...webhookNotificationRoutes({} as WebhookApiDeps),
    ];
    const paths = Object.keys(openApiDocument(routes, '1').paths ?? {});
    expect(paths).toHaveLength(10);
    const posts = routes.filter((route) => route.method === 'post');
    expect(posts.map((route) => route.idempotent)).toEqual(posts.map(() => true));
    const codes = Object.fromEntries(routes.map((route) => [routeName(route), errorCodesOf(route)]));
    expect(codes['post /api/v1/webhook-endpoints']).toEqual(
      expect.arrayContaining([
        'WEBHOOK_ENDPOINT_EXISTS',
        'WEBHOOK_ENDPOINT_LIMIT',
        'WEBHOOK_URL_NOT_ALLOWED',
      ]),
    );
  });
});
