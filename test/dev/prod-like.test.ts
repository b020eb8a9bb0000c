/** `npm run prod-like` runs what docker-compose.yml runs: the same versions, shards, settings file and roles. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const compose = textOf('docker-compose.yml');
const pinned = textOf('dev/temporal-server/go.mod');
const starter = textOf('dev/stack/temporal-server.ts');
const shape = textOf('dev/stack/prod-like.ts');

/** What the first group of `pattern` catches; every match must say the same. */
function said(text: string, pattern: RegExp): string {
  const all = [...text.matchAll(new RegExp(pattern, 'g'))].map((match) => match[1] ?? '');
  expect(all.length).toBeGreaterThan(0);
  expect(new Set(all).size).toBe(1);
  return all[0] ?? '';
}

it('the same Temporal server, in both modules that are built and in every image', () => {
  const image = said(compose, /temporalio\/(?:server|admin-tools):\$\{TEMPORAL_VERSION:-([\d.]+)\}/);
  expect(said(pinned, /go\.temporal\.io\/server v([\d.]+)/)).toBe(image);
  expect(said(textOf('dev/temporal-cli/go.mod'), /go\.temporal\.io\/server v([\d.]+)/)).toBe(image);
  expect(said(starter, /const VERSION = '([\d.]+)'/)).toBe(image);
});

it('the same Web UI', () => {
  expect(said(pinned, /ui-server\/v2 v([\d.]+)/)).toBe(said(compose, /temporalio\/ui:([\d.]+)/));
});

it('as many history shards, which cannot be changed later', () => {
  expect(said(starter, /const HISTORY_SHARDS = '(\d+)'/)).toBe(said(compose, /NUM_HISTORY_SHARDS: '(\d+)'/));
});

it('the dynamic settings of production', () => {
  expect(compose).toContain('./deploy/temporal/dynamic.yaml');
  expect(starter).toContain('deploy/temporal/dynamic.yaml');
});

it('as many of each process', () => {
  const counts = /apiCount: (\d), workerCount: (\d), webhooksCount: (\d)/.exec(shape)?.slice(1);
  expect(counts).toEqual([
    said(compose, /replicas: \$\{API_REPLICAS:-(\d)\}/),
    said(compose, /replicas: \$\{WORKER_REPLICAS:-(\d)\}/),
    said(compose, /replicas: \$\{WEBHOOKS_REPLICAS:-(\d)\}/),
  ]);
});

it('the roles and databases that PostgreSQL is given in production', () => {
  const roles = textOf('deploy/postgres/roles.sh');
  for (const name of ['holdfast', 'temporal']) expect(roles).toContain(`CREATE ROLE ${name} LOGIN`);
  for (const name of ['temporal', 'temporal_visibility']) {
    expect(roles).toContain(`CREATE DATABASE ${name} OWNER temporal`);
    expect(shape).toContain(`makeDatabase(client, '${name}', 'temporal')`);
  }
});
