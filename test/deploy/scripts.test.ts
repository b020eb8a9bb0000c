/** The scripts of deploy/, run: secrets are made, and come to the process that needs them. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configSchema } from '../../src/config/config';
import { ROOT, readCompose } from './compose';

const FROM_FILES = join(ROOT, 'deploy/secrets-from-files.sh');
const MAKE = join(ROOT, 'deploy/make-secrets.sh');
const PATH = process.env['PATH'] ?? '';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-secrets-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs `node` behind the script and answers what it sees of its environment. */
function run(environment: Record<string, string>): {
  code: number | null;
  seen: NodeJS.ProcessEnv;
  error: string;
} {
  const print = 'process.stdout.write(JSON.stringify(process.env))';
  const { status, stdout, stderr } = spawnSync('sh', [FROM_FILES, process.execPath, '-e', print], {
    env: { PATH, SECRETS_DIR: folder, ...environment },
    encoding: 'utf8',
  });
  return {
    code: status,
    seen: stdout === '' ? {} : (JSON.parse(stdout) as NodeJS.ProcessEnv),
    error: stderr,
  };
}

describe('secrets-from-files', () => {
  it('sets what the files say, to the letter, and forgets where they are', () => {
    const text = `a $HOME \`id\` "b" 'c' \\n =d=`;
    writeFileSync(join(folder, 'one'), `${text}\n`);
    const { code, seen } = run({ DB_PASSWORD_FILE: join(folder, 'one'), DB_HOST: 'x' });
    expect([code, seen['DB_PASSWORD'], seen['DB_HOST'], seen['DB_PASSWORD_FILE']]).toEqual([
      0,
      text,
      'x',
      undefined,
    ]);
  });

  it('leaves alone what is no secret', () => {
    const { seen } = run({ SSL_CERT_FILE: '/etc/hosts' });
    expect([seen['SSL_CERT_FILE'], seen['SSL_CERT']]).toEqual(['/etc/hosts', undefined]);
  });

  it('starts nothing without a file that is named, and says which', () => {
    const { code, seen, error } = run({ DB_PASSWORD_FILE: join(folder, 'none') });
    expect([code, seen]).toEqual([1, {}]);
    expect(error).toContain('DB_PASSWORD_FILE names');
  });

  it('ends as the command ends', () => {
    expect(spawnSync('sh', [FROM_FILES, 'sh', '-c', 'exit 7'], { env: { PATH } }).status).toBe(7);
  });
});

describe('make-secrets', () => {
  const make = () => execFileSync('sh', [MAKE, folder], { encoding: 'utf8', env: { PATH } });
  const read = (name: string) => readFileSync(join(folder, name), 'utf8').trim();

  it('makes every secret of docker-compose.yml, of the kind that is taken, and shows none', () => {
    const printed = make();
    const names = readdirSync(folder);
    expect(names).toEqual(expect.arrayContaining(Object.keys(readCompose().secrets)));
    for (const name of names) expect(printed).not.toContain(read(name));
    const settings = {
      HOLDFAST_ADMIN_KEY: read('holdfast_admin_key'),
      HOLDFAST_ENCRYPTION_KEYS: read('holdfast_encryption_keys'),
      HOLDFAST_PAYLOAD_KEYS: read('holdfast_payload_keys'),
      CODEC_TOKENS: read('codec_tokens'),
      DB_PASSWORD: read('db_password'),
      REDIS_PASSWORD: read('redis_password'),
    };
    expect(configSchema.safeParse(settings).error?.issues ?? []).toEqual([]);
    const [, token = ''] = read('codec_tokens').split(':');
    expect(read('codec_authorization')).toBe(`proxy_set_header Authorization "Bearer ${token}";`);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('the password of the Web UI is the one that was made', () => {
    make();
    const [, , salt = ''] = read('web_ui_users').split('$').slice(0, 3);
    const again = execFileSync('openssl', ['passwd', '-6', '-salt', salt, read('web_ui_password')], {
      encoding: 'utf8',
    });
    expect(read('web_ui_users')).toBe(`operator:${again.trim()}`);
  });

  it('changes nothing that is there', () => {
    make();
    const before = readdirSync(folder).map((name) => [name, read(name)]);
    make();
    expect(readdirSync(folder).map((name) => [name, read(name)])).toEqual(before);
  });

  it('makes anew what was taken away, and nothing else', () => {
    make();
    const all = () => Object.fromEntries(readdirSync(folder).map((name) => [name, read(name)]));
    const before = all();
    rmSync(join(folder, 'holdfast_admin_key'));
    make();
    const { holdfast_admin_key: key, ...others } = all();
    expect(key).toMatch(/^[0-9a-f]{48}$/);
    expect(key).not.toBe(before['holdfast_admin_key']);
    expect({ ...others, holdfast_admin_key: before['holdfast_admin_key'] }).toEqual(before);
  });
});

test.each(['api', 'worker', 'webhooks', 'codec'])(
  'the health check of %s ends with 0 for an answer that is well, else with 1',
  async (name) => {
    const [, program, ...words] = readCompose().services[name]?.healthcheck?.test ?? [];
    expect([program, words.at(-1)]).toEqual([
      'node',
      expect.stringMatching(/^http:\/\/127\.0\.0\.1:400(05|06|10)\/readyz$/),
    ]);
    const codeOf = (url: string) =>
      new Promise((resolve) => {
        spawn(process.execPath, [...words.slice(0, -1), url]).once('exit', resolve);
      });
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/well' ? 200 : 503).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await Promise.all([codeOf(`${base}/well`), codeOf(`${base}/ill`)])).toEqual([0, 1]);
    await new Promise((resolve) => server.close(resolve));
    expect(await codeOf(`${base}/well`)).toBe(1);
  },
);
