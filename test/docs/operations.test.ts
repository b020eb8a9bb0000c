/** The runbook cannot name what is not there: scripts, settings, signals, metrics, addresses, files and headings. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(__dirname, '../..');
const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const PAGES = ['docs/operations.md', 'docs/scaling.md'];
const PREFIX = '/api/v1/admin';

const sources = (folder: string): string =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => textOf(`${folder}/${name}`))
    .join('\n');

const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(' ', '-');
const anchorsIn = (text: string) =>
  [...text.matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1] ?? ''));

/** What a page names and nothing has: links, npm scripts, settings, secrets, signals, metrics, admin routes. */
function missing(text: string, page: string): string[] {
  const all = (pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1] ?? '');
  const src = sources('src');
  const scripts = Object.keys((JSON.parse(textOf('package.json')) as { scripts: object }).scripts);
  const settings = textOf('.env.example') + textOf('docker-compose.yml');
  return [
    ...all(/\]\(([^)]+)\)/g).filter((link) => !linkHolds(link, text, page)),
    ...all(/npm run ([\w-]+(?::[\w-]+)?)/g).filter((name) => !scripts.includes(name)),
    ...all(/`([A-Z]+_[A-Z_]+)`/g).filter(
      (name) => !settings.includes(name) && !src.includes(`'${name}'`) && !src.includes(`${name}:`),
    ),
    ...all(/--name (\w+)/g).filter((name) => !src.includes(`'${name}'`)),
    ...all(/\b(holdfast_[a-z_]+)\b/g).filter(
      (name) => name !== 'holdfast_id' && !src.includes(name) && !settings.includes(name),
    ),
    ...all(/admin (?:GET|PUT|POST|PATCH|DELETE) '?([^'`\s?]+)/g).filter(
      (path) => !src.includes(routeOf(path)),
    ),
  ];
}

/** `/channel-accounts/$ACCOUNT/switch` is the route that ends with `/switch`. */
const routeOf = (path: string) => {
  const [, first = '', ...rest] = path.split('/');
  return rest.length === 0 ? `${PREFIX}/${first}` : `/${rest.at(-1) ?? ''}'`;
};

function linkHolds(link: string, text: string, page: string): boolean {
  if (/^https?:/.test(link)) return true;
  const [file = '', anchor] = link.split('#');
  const path = file === '' ? page : join(dirname(page), file);
  if (!existsSync(join(ROOT, path))) return false;
  return anchor === undefined || anchorsIn(file === '' ? text : textOf(path)).includes(anchor);
}

it('what is not there is found', () => {
  const bad =
    '[a](gone.md) [b](#nowhere) npm run nothing, `NO_SUCH_SETTING_AT_ALL`, --name vanish, holdfast_no_such_total, admin GET /nowhere-x ';
  expect(missing(bad, PAGES[0] ?? '')).toEqual([
    ...['gone.md', '#nowhere', 'nothing', 'NO_SUCH_SETTING_AT_ALL', 'vanish', 'holdfast_no_such_total'],
    '/nowhere-x',
  ]);
});

it.each(PAGES)('%s names only what is there', (page) => {
  expect(missing(textOf(page), page)).toEqual([]);
});
