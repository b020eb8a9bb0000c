/** The API's description for people: /docs, its files, and the guides. Everything comes from here, nothing from outside. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PAGE, PAGE_POLICY, PAGE_SCRIPT, PAGE_STYLE } from '../docs/page';
import { defineRoute } from '../route';
import type { RawAnswer, Route } from '../route';

/** From src as from dist, which lie side by side. */
const GUIDES_DIR = join(__dirname, '../../../docs');
export const GUIDES = ['pre-auth', 'webhooks', 'late-money', 'routing', 'tiers', 'signing'] as const;

const HTML = 'text/html; charset=utf-8';
const CSS = 'text/css; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';
/** As it is: browsers show plain text, and save what they do not know. */
const TEXT = 'text/plain; charset=utf-8';
/** Short enough that an update of the packages is seen the same day. */
const KEPT = { 'Cache-Control': 'public, max-age=3600' };

interface File {
  readonly path: string;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  read(): Promise<Buffer>;
}

const ofPackage = (name: string) => (): Promise<Buffer> =>
  readFile(join(dirname(require.resolve('swagger-ui-dist/package.json')), name));
const ofText = (text: string) => (): Promise<Buffer> => Promise.resolve(Buffer.from(text));

const FILES: readonly File[] = [
  {
    ...{ path: '/docs', contentType: HTML, read: ofText(PAGE) },
    headers: { 'Content-Security-Policy': PAGE_POLICY, 'Referrer-Policy': 'no-referrer' },
  },
  { path: '/docs/page.css', contentType: CSS, read: ofText(PAGE_STYLE), headers: KEPT },
  { path: '/docs/page.js', contentType: SCRIPT, read: ofText(PAGE_SCRIPT), headers: KEPT },
  {
    ...{ path: '/docs/swagger-ui.css', contentType: CSS, headers: KEPT },
    read: ofPackage('swagger-ui.css'),
  },
  {
    ...{ path: '/docs/swagger-ui-bundle.js', contentType: SCRIPT, headers: KEPT },
    read: ofPackage('swagger-ui-bundle.js'),
  },
  ...GUIDES.map((name) => ({
    ...{ path: `/docs/guides/${name}.md`, contentType: TEXT, headers: KEPT },
    read: () => readFile(join(GUIDES_DIR, `${name}.md`)),
  })),
];

/** Not part of the document: they are for people. Files are read at the first request and kept. */
export function docsRoutes(): Route[] {
  return FILES.map((file) => {
    let body: Promise<Buffer> | undefined;
    return defineRoute({
      method: 'get',
      path: file.path,
      priority: 'exempt',
      summary: 'The description of the API for people',
      tag: 'Health',
      auth: 'none',
      request: {},
      responses: { 200: { description: 'A file', contentType: file.contentType } },
      errors: [],
      async handler(): Promise<RawAnswer> {
        body ??= file.read();
        // What could not be read now may be there the next time.
        body.catch(() => (body = undefined));
        const raw = { contentType: file.contentType, body: await body };
        return { status: 200, raw, headers: file.headers };
      },
    });
  });
}
