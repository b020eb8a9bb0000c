/** The Postman collection is the one the present document gives, and asks what the document asks. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiDocument } from '../../dev/api-document';
import { POSTMAN_FILE, renderPostman } from '../../dev/postman';

interface Item {
  readonly id: string;
  readonly name: string;
  readonly item?: readonly Item[];
  readonly request?: {
    readonly method: string;
    readonly url: { readonly host: readonly string[]; readonly path: readonly string[] };
    readonly header: readonly { readonly key: string; readonly value: string }[];
    readonly auth: { readonly type: string; readonly bearer?: readonly { readonly value: string }[] };
  };
}

const requestsOf = (items: readonly Item[]): Item[] =>
  items.flatMap((item) => [...(item.request === undefined ? [] : [item]), ...requestsOf(item.item ?? [])]);

describe('the Postman collection', () => {
  const text = readFileSync(join(__dirname, '../..', POSTMAN_FILE), 'utf8');
  const { item } = JSON.parse(text) as { item: Item[] };
  const requests = requestsOf(item);

  it('is fresh (npm run generate)', async () => {
    expect(await renderPostman()).toBe(text);
  });

  it('has every route once, with the key of whoever may call it', async () => {
    const { paths } = await apiDocument();
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
    );
    const asked = requests.map(({ request }) => `${request?.method} /${request?.url.path.join('/')}`);
    expect(asked.sort()).toEqual(routes.sort());
    for (const { name, request } of requests) {
      const isAdmin = request?.url.path.includes('admin') === true;
      const key = request?.auth.bearer?.[0]?.value;
      const expected = isAdmin ? '{{adminKey}}' : '{{merchantKey}}';
      expect([name, key ?? expected]).toEqual([name, expected]);
      expect(request?.url.host).toEqual(['{{baseUrl}}']);
    }
  });

  it('gives every request that is sent an Idempotency-Key of its own', () => {
    const keys = requests.flatMap(({ request }) =>
      (request?.header ?? []).filter(({ key }) => key === 'Idempotency-Key').map(({ value }) => value),
    );
    expect(keys.length).toBeGreaterThan(10);
    expect(new Set(keys)).toEqual(new Set(['{{$guid}}']));
  });
});
