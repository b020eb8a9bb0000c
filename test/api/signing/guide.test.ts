/** docs/signing.md says what is so: its snippets are run against the API, its example is signed by openssl. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isSignedWith, signedText } from '../../../src/api/signing/canonical';
import { SIGNING, startSigningRig } from './rig';
import type { SigningRig } from './rig';

const run = promisify(execFile);
const GUIDE = readFileSync(join(__dirname, '../../../docs/signing.md'), 'utf8');
const blocksOf = (language: string) =>
  [...GUIDE.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, text = '']) => text);

let rig: SigningRig;
beforeAll(async () => {
  rig = await startSigningRig();
});
afterAll(() => rig.close());

interface Said {
  readonly code: string;
  readonly data: Record<string, unknown>;
}

test('from the first secret to signed requests from the shell and from Node', async () => {
  const [makeSecret = '', switchOn = ''] = blocksOf('sh');
  const [ask = ''] = blocksOf('js');
  const { key } = await rig.newMerchant();
  const environment = { PATH: process.env['PATH'], HOLDFAST_URL: rig.processes[0].url, HOLDFAST_KEY: key };
  const shell = async (script: string, env: NodeJS.ProcessEnv) =>
    JSON.parse((await run('bash', ['-euo', 'pipefail', '-c', script], { env })).stdout) as Said;

  const secret = String((await shell(makeSecret, environment)).data['secret']);
  const env = { ...environment, HOLDFAST_SIGNING_SECRET: secret };
  expect(await shell(switchOn, env)).toMatchObject({ code: 'SUCCESS', data: { mode: 'required' } });
  rig.advanceMs(5_000);
  const unsigned = { method: 'GET', target: SIGNING, headers: { authorization: `Bearer ${key}` } };
  expect((await rig.processes[0].send(unsigned)).status).toBe(401);
  // The same lines again are another request, with another nonce.
  expect(await shell(switchOn, env)).toMatchObject({ code: 'SUCCESS' });
  const wrong = { ...env, HOLDFAST_SIGNING_SECRET: `${secret}0` };
  expect(await shell(switchOn, wrong)).toMatchObject({ code: 'REQUEST_SIGNATURE_INVALID' });

  const node = async (given: NodeJS.ProcessEnv) =>
    JSON.parse((await run(process.execPath, ['-e', ask], { env: given })).stdout) as Said;
  // The clocks of the rig stand some seconds ahead; the guide's programs have the system's.
  expect(await node(env)).toMatchObject({ code: 'SUCCESS', data: { mode: 'required' } });
  expect(await node(wrong)).toMatchObject({ code: 'REQUEST_SIGNATURE_INVALID' });
});

test('the example is what openssl makes of it, and what the gateway takes', async () => {
  const [signature = ''] = blocksOf('text').flatMap((block) => /^v1=[0-9a-f]{64}$/m.exec(block) ?? []);
  const told = (pattern: RegExp) => pattern.exec(GUIDE)?.[1] ?? '';
  const example = {
    secret: told(/`(hfsk_[0-9a-f]{64})`/),
    timestamp: told(/time `(\d+)`/),
    nonce: told(/nonce `([^`]+)` and/),
    body: told(/and `(\{[^`]+)` posted/),
    target: told(/`(\/api[^`]+)` the signature is/),
  };
  const { secret, timestamp, nonce, body, target } = example;
  const script = `
    hash=$(printf %s "$1" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
    printf %s "$2.$3.POST.$4.$hash" | openssl dgst -sha256 -hmac "$5" -r | cut -d ' ' -f 1`;
  const { stdout } = await run('bash', ['-euc', script, 'sign', body, timestamp, nonce, target, secret]);
  expect(`v1=${stdout.trim()}`).toBe(signature);
  const text = signedText({ timestamp, nonce }, { method: 'POST', target, body: Buffer.from(body) });
  expect(isSignedWith([secret], text, Buffer.from(signature.slice(3), 'hex'))).toBe(true);
});
