/** The codec server as a process of its own: it starts, serves, ends, and says what is missing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { freePort } from '../../dev/stack/ports';
import { eventually } from '../e2e/eventually';

const ROOT = join(__dirname, '../..');
const TOKEN = 'a-token-of-more-than-24-characters';
const KEYS = `k1:${Buffer.alloc(32, 1).toString('base64')}`;

function start(settings: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/observability/codec-main.ts'], {
    ...{ cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] },
    env: { PATH: process.env['PATH'], ...settings },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  return { child, said: () => said, ended: once(child, 'close') };
}

test('serves with the payload keys and a token alone, and ends when it is told to', async () => {
  const port = String(await freePort());
  const settings = { HOLDFAST_PAYLOAD_KEYS: KEYS, CODEC_TOKENS: `ui:${TOKEN}`, CODEC_PORT: port };
  const { child, said, ended } = start(settings);
  try {
    const url = `http://127.0.0.1:${port}`;
    const isUp = () =>
      fetch(`${url}/readyz`).then(
        ({ status }) => status === 200,
        () => false,
      );
    await eventually('it serves', isUp, (up) => up);
    const payload = { metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'ImRhdHVtIg==' };
    const response = await fetch(`${url}/encode`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({ payloads: [payload] }),
    });
    expect(response.status).toBe(200);
    expect(await response.text()).not.toContain(payload.data);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    // Who asked is told by name; neither token nor key nor payload stands in the log.
    expect(said()).toContain('"token":"ui"');
    for (const secret of [TOKEN, KEYS.slice(3), payload.data, 'datum']) expect(said()).not.toContain(secret);
  } finally {
    child.kill('SIGKILL');
  }
});

test.each([
  [{ CODEC_TOKENS: `ui:${TOKEN}` }, 'HOLDFAST_PAYLOAD_KEYS names no key'],
  [{ HOLDFAST_PAYLOAD_KEYS: KEYS }, 'CODEC_TOKENS names no token'],
  [{ HOLDFAST_PAYLOAD_KEYS: KEYS, CODEC_TOKENS: 'ui:short' }, 'CODEC_TOKENS: expected name:token'],
])('does not start without what it needs (%#)', async (settings: object, sentence) => {
  const { said, ended } = start({ CODEC_PORT: '0', ...settings });
  expect(await ended).toEqual([1, null]);
  expect(said()).toContain(sentence);
  expect(said()).not.toContain(KEYS.slice(3));
});
