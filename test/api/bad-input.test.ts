import { handled, sampleRoutes } from './sample-routes';
import { startApi } from './harness';
import type { ApiHarness, RequestOptions } from './harness';

const json = { 'content-type': 'application/json' };
const issueAt = (path: string) => ({ details: { issues: [expect.objectContaining({ path })] } });
const deep = '['.repeat(30_000) + ']'.repeat(30_000);
const bad: [string, string, string, RequestOptions, number, object][] = [
  ['no field', 'POST', '/t/echo', { json: {} }, 400, issueAt('amount')],
  ['an unknown field', 'POST', '/t/echo', { json: { amount: 1, amuont: 2 } }, 400, issueAt('amuont')],
  [
    'a nested unknown field',
    'POST',
    '/t/echo',
    { json: { amount: 1, nested: { b: 1 } } },
    400,
    issueAt('nested.b'),
  ],
  [
    'a wrong type in a list',
    'POST',
    '/t/echo',
    { json: { amount: 1, nested: { a: [{ name: 'x' }, { name: 7 }] } } },
    400,
    issueAt('nested.a.1.name'),
  ],
  ['a text as amount', 'POST', '/t/echo', { json: { amount: '1' } }, 400, issueAt('amount')],
  ['a fraction', 'POST', '/t/echo', { json: { amount: 1.5 } }, 400, issueAt('amount')],
  ['zero', 'POST', '/t/echo', { json: { amount: 0 } }, 400, issueAt('amount')],
  ['a huge number', 'POST', '/t/echo', { headers: json, body: '{"amount":1e999}' }, 400, issueAt('amount')],
  [
    'an unsafe integer',
    'POST',
    '/t/echo',
    { headers: json, body: '{"amount":9007199254740993}' },
    400,
    issueAt('amount'),
  ],
  ['NUL in a text', 'POST', '/t/echo', { json: { amount: 1, text: 'a\0b' } }, 400, issueAt('text')],
  [
    'half a surrogate pair',
    'POST',
    '/t/echo',
    { headers: json, body: '{"amount":1,"text":"\\ud800"}' },
    400,
    issueAt('text'),
  ],
  [
    'NUL in a name',
    'POST',
    '/t/echo',
    { json: { amount: 1, metadata: { 'a\0': 'b' } } },
    400,
    issueAt('metadata'),
  ],
  [
    '__proto__',
    'POST',
    '/t/echo',
    { headers: json, body: '{"amount":1,"__proto__":{"a":1}}' },
    400,
    issueAt('body'),
  ],
  ['constructor', 'POST', '/t/echo', { json: { amount: 1, constructor: {} } }, 400, issueAt('constructor')],
  ['deep nesting', 'POST', '/t/echo', { headers: json, body: deep }, 400, { code: 'INVALID_REQUEST' }],
  ['a list as body', 'POST', '/t/echo', { json: [] }, 400, issueAt('body')],
  ['null as body', 'POST', '/t/echo', { headers: json, body: 'null' }, 400, issueAt('body')],
  ['no body', 'POST', '/t/echo', {}, 400, issueAt('amount')],
  [
    'an empty body called JSON',
    'POST',
    '/t/echo',
    { headers: json, body: '' },
    400,
    { code: 'INVALID_REQUEST', ...issueAt('amount') },
  ],
  ['broken JSON', 'POST', '/t/echo', { headers: json, body: '{"amount":' }, 400, { code: 'INVALID_JSON' }],
  [
    'bytes that are no UTF-8',
    'POST',
    '/t/echo',
    { headers: json, body: Buffer.from([0x22, 0xff, 0x22]) },
    400,
    { code: 'INVALID_JSON' },
  ],
  [
    '100 KiB',
    'POST',
    '/t/echo',
    { headers: json, body: 'x'.repeat(102_400) },
    413,
    { code: 'PAYLOAD_TOO_LARGE' },
  ],
  ['no content type', 'POST', '/t/echo', { body: '{"amount":1}' }, 415, { code: 'UNSUPPORTED_MEDIA_TYPE' }],
  [
    'a form',
    'POST',
    '/t/echo',
    { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'amount=1' },
    415,
    {},
  ],
  [
    'another charset',
    'POST',
    '/t/echo',
    { headers: { 'content-type': 'application/json; charset=utf-16' }, body: '{}' },
    415,
    {},
  ],
  [
    'a compressed body',
    'POST',
    '/t/echo',
    { headers: { ...json, 'content-encoding': 'gzip' }, body: 'x' },
    415,
    {},
  ],
  ['bad percent-encoding', 'GET', '/t/things/%E0%A4%A', {}, 400, { code: 'INVALID_REQUEST' }],
  ['NUL in the path', 'GET', '/t/things/a%00', {}, 400, issueAt('thing_no')],
  ['another form in the path', 'GET', '/t/things/ABC', {}, 400, issueAt('thing_no')],
  ['an unknown query field', 'GET', '/t/things/abc?x=1', {}, 400, issueAt('x')],
  ['a repeated query field', 'GET', '/t/things/abc?channel=a&channel=b', {}, 400, issueAt('channel')],
  ['a prototype query field', 'GET', '/t/things/abc?__proto__=b', {}, 400, issueAt('query')],
];

describe('bad input', () => {
  let api: ApiHarness;
  beforeAll(async () => {
    api = await startApi(() => sampleRoutes());
  });
  afterAll(() => api.close());

  it.each(bad)('refuses %s', async (_name, method, path, options, status, expected) => {
    handled.length = 0;
    const answer = await api.request(method, path, { key: api.merchantKey, ...options });
    expect({ status: answer.status, ...answer.json }).toMatchObject({ status, ...expected });
    expect(answer.json.request_id).toBe(answer.headers.get('x-request-id'));
    expect(handled).toEqual([]);
  });

  it('names each unknown field, not its value, and only so much of its name', async () => {
    const secret = 'S'.repeat(20);
    const answer = await api.request('POST', '/t/echo', {
      key: api.merchantKey,
      json: { amount: secret, ['n'.repeat(5_000)]: secret },
    });
    expect(answer.status).toBe(400);
    expect(answer.text).not.toContain(secret);
    expect(answer.text.length).toBeLessThan(600);
    expect(answer.json.details?.issues?.map((issue) => issue.message)).toContain(
      'is not a field of this request',
    );
  });
});
