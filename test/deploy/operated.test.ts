/** What an operator needs of docker-compose.yml: merchants come first, limits at the door, few who know much, a runbook that fits. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/config';
import { loadWorkerConfig } from '../../src/config/worker-config';
import { ROOT, readCompose } from './compose';

const { services } = readCompose();
const NAMES = Object.keys(services);
const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const GATEWAY = textOf('deploy/gateway/gateway.conf');
const numberIn = (text: string, pattern: RegExp) => Number(pattern.exec(text)?.[1]);

describe('the gateway', () => {
  test('waits for the API alone, and looks the others up when somebody asks for them', () => {
    expect(Object.keys(services['gateway']?.depends_on ?? {})).toEqual(['api']);
    const passes = [...GATEWAY.matchAll(/proxy_pass ([^;]+);/g)].map(([, to = '']) => to);
    // A name that stands in a variable is resolved at each request; any other, before nginx starts.
    expect(passes.filter((to) => !to.startsWith('$'))).toEqual(['http://api']);
    expect(passes).toHaveLength(4);
    expect(GATEWAY).toMatch(/^resolver /m);
  });

  test('counts the connections of an address, awaits no header for long, and has room', () => {
    const [, merchants = ''] = GATEWAY.split(/^server \{/m);
    expect(GATEWAY).toContain('limit_conn_zone $binary_remote_addr zone=address:');
    expect(GATEWAY).toMatch(/^client_header_timeout 10s;/m);
    const most = numberIn(merchants, /limit_conn address (\d+);/);
    expect(merchants).toContain(`"limit":${most}`);
    const main = textOf('deploy/gateway/nginx.conf');
    const [connections, processes] = [
      numberIn(main, /worker_connections (\d+);/),
      numberIn(main, /worker_processes (\d+);/),
    ];
    // One connection to the client and one to the API for each: an address is far from all there are.
    expect((connections * processes) / 2 / most).toBeGreaterThan(20);
    expect(services['gateway']?.ulimits?.['nofile']).toBeGreaterThan(2 * connections);
    expect(main).toContain('include /etc/nginx/conf.d/*.conf;');
    expect(services['gateway']?.configs?.map(({ target }) => target)).toEqual([
      '/etc/nginx/nginx.conf',
      '/etc/nginx/conf.d/default.conf',
    ]);
  });
});

describe('who knows and reaches what', () => {
  test("the key of root is the API's alone", () => {
    const holders = NAMES.filter((name) => services[name]?.secrets?.includes('holdfast_admin_key'));
    const told = NAMES.filter((name) =>
      JSON.stringify(services[name]?.environment ?? {}).includes('ADMIN_KEY'),
    );
    expect([holders, told]).toEqual([['api'], ['api']]);
  });

  test('an API does not start without it; a worker does, and forgets it', () => {
    const settings = { HOLDFAST_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32).toString('base64')}` };
    expect(() => loadConfig(settings)).toThrow(/HOLDFAST_ADMIN_KEY/);
    expect(() => loadConfig({ ...settings, HOLDFAST_ADMIN_KEY: '' })).toThrow(/HOLDFAST_ADMIN_KEY/);
    expect(loadWorkerConfig(settings).HOLDFAST_ADMIN_KEY).toBe('');
    expect(loadWorkerConfig({ ...settings, HOLDFAST_ADMIN_KEY: 'x'.repeat(24) }).HOLDFAST_ADMIN_KEY).toBe('');
    expect(() => loadWorkerConfig({})).toThrow(/HOLDFAST_ENCRYPTION_KEYS/);
  });

  test('a data source of Grafana reaches Prometheus and the gateway, not Temporal and not the Web UI', () => {
    const reached = NAMES.filter((name) =>
      services[name]?.networks.some((one) => services['grafana']?.networks.includes(one)),
    );
    expect(reached.sort()).toEqual(['gateway', 'grafana', 'prometheus']);
  });
});

describe('ops', () => {
  const { environment = {}, networks = [], entrypoint = [] } = services['ops'] ?? {};

  test.each([
    ['TEMPORAL_ADDRESS', 'temporal'],
    ['TEMPORAL_CODEC_ENDPOINT', 'codec'],
  ])('%s is where it shares a network with %s', (name, service) => {
    expect(environment[name]).toMatch(new RegExp(`^(http://)?${service}:\\d+$`));
    expect(networks.filter((one) => services[service]?.networks.includes(one))).not.toEqual([]);
  });

  test.each(['web-ui:abc', 'web-ui:abc,ops:def'])(
    'with tokens %s shows the first, without its name',
    (ring) => {
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-ops-'));
      writeFileSync(join(folder, 'codec_tokens'), `${ring}\n`);
      const [program = '', ...words] = entrypoint.map((word) => word.replace('/run/secrets', folder));
      const shown = spawnSync(
        program,
        [...words, 'sh', '-c', 'echo "$TEMPORAL_CODEC_AUTH" "$1"', 'sh', 'a b'],
        {
          encoding: 'utf8',
        },
      );
      rmSync(folder, { recursive: true });
      expect([shown.status, shown.stdout, shown.stderr]).toEqual([0, 'Bearer abc a b\n', '']);
    },
  );
});

describe('the runbook', () => {
  const runbook = textOf('docs/operations.md');

  test('runs what the image has', () => {
    const scripts = [...runbook.matchAll(/\bdist\/([\w/-]+)\.js/g)].map(([, path = '']) => path);
    expect(scripts).toContain('stores/rotate-main');
    expect(scripts.filter((path) => !existsSync(join(ROOT, 'src', `${path}.ts`)))).toEqual([]);
  });

  test('names services that there are', () => {
    const command = /docker compose (?:run|exec|stop|logs)(?: (?:-\w+|--[\w-]+)(?:[= ]\d+)?)* ([\w-]+)/g;
    const named = [...runbook.matchAll(command)].map(([, name = '']) => name);
    expect(named).toEqual(expect.arrayContaining(['ops', 'migrate', 'worker']));
    expect(named.filter((name) => !NAMES.includes(name))).toEqual([]);
  });
});
