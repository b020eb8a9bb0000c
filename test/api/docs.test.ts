/** /docs: readable in a browser that reaches nothing but us. */
import { PAGE_POLICY } from '../../src/api/docs/page';
import { docsRoutes, GUIDES } from '../../src/api/routes/docs';
import { startBareApi } from './docs-harness';
import type { BareApi } from './docs-harness';

/** An address of another server that a browser would fetch: in `src`, `href` of a link, `url(...)`, `@import`. */
const FETCHED = /(?:\bsrc|<link[^>]+href)\s*=\s*["']?(?:https?:)?\/\/|url\(\s*["']?(?:https?:)?\/\/|@import/i;

describe('/docs', () => {
  let api: BareApi;
  beforeAll(async () => {
    api = await startBareApi(docsRoutes());
  });
  afterAll(() => api.close());

  it('is a page whose files all come from here', async () => {
    const page = await api.ask('/docs');
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const files = [...page.text.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path ?? '');
    expect(files.filter((path) => path.startsWith('/docs/')).sort()).toEqual([
      '/docs/page.css',
      '/docs/page.js',
      '/docs/swagger-ui-bundle.js',
      '/docs/swagger-ui.css',
    ]);
    for (const path of files.filter((each) => each.startsWith('/docs/'))) {
      const file = await api.ask(path);
      expect([path, file.status, file.headers.get('cache-control')]).toEqual([path, 200, 'public, max-age=3600']);
      expect([path, file.headers.get('content-type')]).toEqual([
        path,
        expect.stringMatching(path.endsWith('.css') ? /^text\/css/ : /^text\/javascript/),
      ]);
      expect([path, file.text.length > 20]).toEqual([path, true]);
      if (path !== '/docs/swagger-ui-bundle.js') expect([path, FETCHED.test(file.text)]).toEqual([path, false]);
    }
  });

  it('may load nothing from elsewhere, and has no script of its own in it', async () => {
    const page = await api.ask('/docs');
    expect(page.headers.get('content-security-policy')).toBe(PAGE_POLICY);
    expect(PAGE_POLICY).toContain("default-src 'none'");
    // Whatever the bundle would like to fetch, the browser asks nobody but us.
    expect(PAGE_POLICY).not.toMatch(/https?:|\*|unsafe/);
    expect(page.text).not.toMatch(/<script(?![^>]* src=)|\son\w+=|style=/);
    expect(page.text).not.toMatch(/https?:\/\//);
    const start = await api.ask('/docs/page.js');
    expect(start.text).toContain("url: '/openapi.json'");
    expect(start.text).toContain('validatorUrl: null');
  });

  it('an address outside would be seen', () => {
    expect('<script src="https://cdn.example/x.js">').toMatch(FETCHED);
    expect('<link rel="stylesheet" href="//cdn.example/x.css">').toMatch(FETCHED);
    expect('a { background: url(http://cdn.example/x.png) }').toMatch(FETCHED);
    expect('a { background: url("data:image/png;base64,AA") }').not.toMatch(FETCHED);
  });

  test.each(GUIDES)('has the guide %s', async (name) => {
    const guide = await api.ask(`/docs/guides/${name}.md`);
    expect([guide.status, guide.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8']);
    expect(guide.text).toMatch(/^# /);
  });

  it('has no other file', async () => {
    for (const path of ['/docs/package.json', '/docs/guides/performance.md', '/docs/guides/..%2f..%2fpackage.json'])
      expect((await api.ask(path)).status).toBe(404);
  });
}); // prettier-ignore
