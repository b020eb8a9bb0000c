/** docker-compose.yml: valid, made of what exists, closed to those who have no business there. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Ajv from 'ajv';
import { z } from 'zod';
import { configSchema } from '../../src/config/config';
import { codecSettings, payloadSettings } from '../../src/config/payload-settings';
import { workerConfigSchema } from '../../src/config/worker-config';
import { ROOT, interpolated, readCompose } from './compose';
import type { Service } from './compose';

const COMPOSE = readCompose();
const SERVICES = Object.entries(COMPOSE.services);
const OURS = SERVICES.filter(([, { build }]) => build !== undefined);
/** Work that is done once and ends. */
const JOBS = ['temporal-schema', 'temporal-namespace', 'migrate'];
/** Runs when somebody asks it something. */
const TOOLS = ['ops'];
/** What each of our services reads its settings by; rotation of keys runs in migrate's. */
const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  api: configSchema,
  codec: z.object({ ...payloadSettings, ...codecSettings }),
  migrate: configSchema.pick({
    DB_HOST: true,
    DB_USER: true,
    DB_PASSWORD: true,
    HOLDFAST_ENCRYPTION_KEYS: true,
  }),
  webhooks: workerConfigSchema,
  worker: workerConfigSchema,
};
/** Not of our schema: @temporalio/envconfig reads them. */
const TEMPORAL = ['TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE'];
const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** The schema of the Compose specification, as the compose linter ships it. */
function composeSchema(): object {
  const linter = dirname(require.resolve('dclint/package.json'));
  const schema = JSON.parse(readFileSync(join(linter, 'schemas/compose.schema.json'), 'utf8')) as object;
  return { ...schema, $schema: undefined };
}
const validate = new Ajv({ strict: false, logger: false }).compile(composeSchema());

const withoutFile = (name: string) => name.replace(/_FILE$/, '');

function unknownVariables({ environment = {} }: Pick<Service, 'environment'>): string[] {
  const known = [...Object.keys(configSchema.shape), ...TEMPORAL];
  return Object.keys(environment).filter((name) => !known.includes(withoutFile(name)));
}

/** Settings as the process sees them, with something fit in the place of each secret. */
function settingsOf(environment: Readonly<Record<string, string>>): Record<string, string> {
  const secrets: Record<string, string> = {
    HOLDFAST_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32).toString('base64')}`,
    HOLDFAST_PAYLOAD_KEYS: `p1:${Buffer.alloc(32).toString('base64')}`,
    CODEC_TOKENS: `web-ui:${'x'.repeat(24)}`,
  };
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) =>
      name.endsWith('_FILE')
        ? [withoutFile(name), secrets[withoutFile(name)] ?? 'x'.repeat(24)]
        : [name, value],
    ),
  );
}

describe('the file', () => {
  test('is valid by the Compose specification', () => {
    validate(COMPOSE);
    expect(validate.errors ?? []).toEqual([]);
  });

  test.each([
    ['a misspelt key', { services: { a: { image: 'x', enviroment: {} } } }],
    ['a port that is none', { services: { a: { image: 'x', ports: [{ publish: 1 }] } } }],
    ['a condition without a name', { services: { a: { depends_on: { b: { condition: 'healthy' } } } } }],
    ['a top level that nobody knows', { service: {} }],
  ])('%s is seen', (_, bad) => expect(validate(bad)).toBe(false));

  test('fallbacks are what is set when nothing is', () => {
    expect(interpolated('${A:-b}/${C}$${D} ${E:-http://f:1}')).toBe('b/${D} http://f:1');
  });

  test('the server is the one of the embedded stack, and so is the Web UI', () => {
    const pinned = textOf('dev/temporal-cli/go.mod');
    const [, server] = /go\.temporal\.io\/server v(\S+)/.exec(pinned) ?? [];
    const [, ui] = /temporalio\/ui-server\/v2 v(\S+)/.exec(pinned) ?? [];
    for (const name of ['temporal', 'temporal-schema', 'temporal-namespace', 'ops'])
      expect([name, COMPOSE.services[name]?.image.split(':')[1]]).toEqual([name, server]);
    expect(COMPOSE.services['temporal-ui']?.image).toBe(`temporalio/ui:${ui}`);
  });
});

describe('our services', () => {
  test('are five, from one image', () => {
    expect(OURS.map(([name]) => name).sort()).toEqual(['api', 'codec', 'migrate', 'webhooks', 'worker']);
    expect(new Set(OURS.map(([, { image }]) => image)).size).toBe(1);
  });

  test('a variable that does not exist is seen', () => {
    expect(unknownVariables({ environment: { DB_HOST: 'x', DB_PASWORD_FILE: 'y', API_HOTS: 'z' } })).toEqual([
      'DB_PASWORD_FILE',
      'API_HOTS',
    ]);
  });

  test.each(OURS)('%s: every variable exists, and has a value that is taken', (name, service) => {
    expect(unknownVariables(service)).toEqual([]);
    const result = SCHEMAS[name]?.safeParse(settingsOf(service.environment ?? {}));
    expect([result?.success, result?.error?.issues ?? []]).toEqual([true, []]);
  });

  test.each(OURS)('%s: what it runs exists', (_, { command = [] }) => {
    const [, script = ''] = command;
    expect(existsSync(join(ROOT, script.replace('dist/', 'src/').replace(/\.js$/, '.ts')))).toBe(true);
  });

  test('all that counts limits says how many there are, and only the network of the gateway is believed', () => {
    const { api } = COMPOSE.services;
    const subnet = JSON.stringify(COMPOSE.networks['api']);
    expect(api?.environment?.['RATE_LIMIT_PROCESSES']).toBe(
      String((api?.deploy as { replicas?: unknown }).replicas),
    );
    expect(subnet).toContain(api?.environment?.['TRUSTED_PROXIES']);
  });

  test('metrics are where Prometheus looks for them', () => {
    const scraped = textOf('deploy/prometheus/prometheus.yml');
    const { api, worker, webhooks, temporal } = COMPOSE.services;
    const ports = {
      api: api?.environment?.['API_METRICS_ADDRESS']?.split(':')[1],
      worker: worker?.environment?.['WORKER_METRICS_ADDRESS']?.split(':')[1],
      webhooks: webhooks?.environment?.['WORKER_METRICS_ADDRESS']?.split(':')[1],
      temporal: temporal?.environment?.['PROMETHEUS_ENDPOINT']?.split(':')[1],
    };
    for (const [name, port] of Object.entries(ports)) {
      expect(scraped).toContain(`names: [${name}], type: A, port: ${port}`);
      expect(COMPOSE.services[name]?.networks).toContain('monitoring');
    }
  });
});

describe('every service', () => {
  test.each(SERVICES)('%s: is bounded, unprivileged, watched and started again', (name, service) => {
    expect(service.deploy?.resources.limits).toEqual({
      cpus: expect.stringMatching(/^[\d.]+$/) as string,
      memory: expect.stringMatching(/^\d+[mg]$/) as string,
    });
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
    expect(service.cap_drop).toEqual(['ALL']);
    const [isJob, isTool] = [JOBS.includes(name), TOOLS.includes(name)];
    expect(service.restart).toMatch(isTool ? /^no$/ : isJob ? /^on-failure:\d+$/ : /^unless-stopped$/);
    expect(service.profiles).toEqual(isTool ? [name] : undefined);
    expect(service.healthcheck === undefined).toBe(isJob || isTool);
  });

  test.each(SERVICES)('%s: its image has a version', (_, { image }) => {
    expect(image).toMatch(/:(?!latest)[\w.-]+$/);
  });

  test.each(SERVICES)('%s: waits for what can be waited for', (_, { depends_on: needs = {} }) => {
    for (const [needed, { condition }] of Object.entries(needs)) {
      const isJob = JOBS.includes(needed);
      expect([needed, condition]).toEqual([
        needed,
        isJob ? 'service_completed_successfully' : 'service_healthy',
      ]);
      expect(Object.keys(COMPOSE.services)).toContain(needed);
    }
  });

  test.each(SERVICES)('%s: its files, networks, secrets and volumes are there', (_, service) => {
    for (const { source } of service.configs ?? []) {
      expect(existsSync(join(ROOT, COMPOSE.configs[source]?.file ?? source))).toBe(true);
    }
    expect(Object.keys(COMPOSE.secrets)).toEqual(expect.arrayContaining([...(service.secrets ?? [])]));
    expect(Object.keys(COMPOSE.networks)).toEqual(expect.arrayContaining([...service.networks]));
    for (const volume of service.volumes ?? []) {
      const [from = ''] = volume.split(':');
      expect([from, from.startsWith('.') ? existsSync(join(ROOT, from)) : from in COMPOSE.volumes]).toEqual([
        from,
        true,
      ]);
    }
  });

  test.each(SERVICES)('%s: has no secret in its environment, and is given those it reads', (_, service) => {
    const environment = Object.entries(service.environment ?? {});
    const secret = /(PASSWORD|PWD|_KEYS?|SECRET|TOKENS?)$/;
    expect(environment.filter(([name]) => secret.test(name))).toEqual([]);
    const { environment: settings, entrypoint, command, healthcheck } = service;
    const text = JSON.stringify([settings, entrypoint, command, healthcheck]);
    for (const [, name] of text.matchAll(/\/run\/secrets\/(\w+)/g)) expect(service.secrets).toContain(name);
  });
});

describe('who reaches whom', () => {
  test('only the gateway is published, and to this machine alone until somebody says otherwise', () => {
    const published = SERVICES.filter(([, { ports = [] }]) => ports.length > 0);
    expect(published.map(([name]) => name)).toEqual(['gateway']);
    for (const port of published[0]?.[1].ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:(\d+):\1$/);
  });

  test('only those who talk to channels and merchants have a way out', () => {
    const ways = Object.keys(COMPOSE.networks).filter((name) => COMPOSE.networks[name]?.internal !== true);
    expect(ways.sort()).toEqual(['edge', 'outbound']);
    const out = SERVICES.filter(([, { networks }]) => networks.some((name) => ways.includes(name)));
    expect(out.map(([name]) => name).sort()).toEqual(['api', 'gateway', 'webhooks', 'worker']);
  });

  test('what waits for another shares a network with it', () => {
    const server = /(?:server|http:\/\/)\s*(api|codec|grafana|temporal-ui):/g;
    const gateway = textOf('deploy/gateway/gateway.conf');
    for (const [, name = ''] of gateway.matchAll(server)) {
      const shared = COMPOSE.services[name]?.networks.filter((one) =>
        COMPOSE.services['gateway']?.networks.includes(one),
      );
      expect([name, shared]).toEqual([name, [expect.any(String)]]);
    }
  });

  test('the codec server has its keys and nothing else, and opens payloads for the pages of the Web UI alone', () => {
    const { codec, 'temporal-ui': webUi, gateway } = COMPOSE.services;
    expect(codec?.secrets).toEqual(['holdfast_payload_keys', 'codec_tokens']);
    expect(codec?.networks).toEqual(['ui']);
    const origin = codec?.environment?.['CODEC_ORIGINS'] ?? '';
    expect(webUi?.environment?.['TEMPORAL_CODEC_ENDPOINT']).toBe(`${origin}/codec`);
    expect(gateway?.ports).toContainEqual(expect.stringContaining(origin.replace('http://', '')));
    const [, ...servers] = textOf('deploy/gateway/gateway.conf').split(/^server \{/m);
    const behind = servers.filter((text) =>
      text.includes(`http://codec:${codec?.environment?.['CODEC_PORT']}`),
    );
    expect(behind).toHaveLength(1);
    expect(behind[0]).toMatch(
      /auth_basic "[^"]+";[^]*location \/codec\/ \{[^}]*include \/run\/secrets\/codec_auth/,
    );
    for (const [, name] of textOf('deploy/gateway/gateway.conf').matchAll(/\/run\/secrets\/(\w+)/g))
      expect(gateway?.secrets).toContain(name);
  });

  test('the Web UI asks who is there, and metrics stay in', () => {
    const [, ...servers] = textOf('deploy/gateway/gateway.conf').split(/^server \{/m);
    expect(servers).toHaveLength(3);
    expect(servers.find((text) => text.includes('temporal-ui'))).toMatch(
      /auth_basic "[^"]+";\s+auth_basic_user_file/,
    );
    const published = servers.flatMap((text) => /listen (\d+);/.exec(text)?.[1] ?? []);
    const scraped = [...textOf('deploy/prometheus/prometheus.yml').matchAll(/port: (\d+)/g)];
    expect(scraped).toHaveLength(4);
    for (const [, port] of scraped) expect(published).not.toContain(port);
  });
});

describe('the image', () => {
  const lines = textOf('deploy/Dockerfile').split('\n');
  const last = lines.slice(lines.lastIndexOf('FROM base'));

  test('is built in stages, and does not run as root', () => {
    expect(lines.filter((line) => line.startsWith('FROM ')).length).toBeGreaterThan(2);
    expect(last.filter((line) => line.startsWith('USER '))).toEqual(['USER node']);
  });

  test('copies what is there and may be sent', () => {
    const allowed = textOf('deploy/Dockerfile.dockerignore').split('\n').filter((line) => line.startsWith('!')); // prettier-ignore
    const copied = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from'))
      .flatMap((line) => line.split(' ').slice(1, -1));
    expect(copied.length).toBeGreaterThan(5);
    for (const path of copied) {
      expect([path, existsSync(join(ROOT, path.replace('/*.md', '')))]).toEqual([path, true]);
      expect(allowed).toContain(`!${path}`);
    }
  });
});
