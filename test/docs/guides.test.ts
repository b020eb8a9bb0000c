/** The guides cannot lie: every snippet in them is run, against a whole Holdfast, and answers what the guide says. */
import { GUIDES } from '../../src/api/routes/docs';
import { freePort } from '../../dev/stack/ports';
import { startSystem } from '../e2e/harness';
import type { System } from '../e2e/harness';
import { blocksOf, differences, differentLines, fileNameOf, readGuide, runGuide } from './guide';

/**
 * What comes after the end of a payment cannot be called forth by its merchant: late-money is not run. The snippets of
 * signing need secrets of their own: test/api/signing/guide.test.ts runs them.
 */
const NOT_RUN: readonly string[] = ['late-money', 'signing'];
const RUN = GUIDES.filter((name) => !NOT_RUN.includes(name));
/** Shown, not run. */
const PICTURES = ['http', 'text', 'json'];

describe('a guide', () => {
  it('is read block by block', () => {
    const text = 'a\n```sh\necho 1\n\necho 2\n```\nb\n\n```js\n// x.mjs\n1\n```\n';
    expect(blocksOf(text)).toEqual([
      { language: 'sh', text: 'echo 1\n\necho 2', line: 2 },
      { language: 'js', text: '// x.mjs\n1', line: 9 },
    ]);
  });

  it('that says what does not come is seen', () => {
    const real = { code: 'SUCCESS', data: { id: 'pi_3Qk', at: 1763900000, amount: 5, more: true } };
    expect(differences({ code: 'SUCCESS', data: { id: 'pi_...', at: 1737715200, amount: 5 } }, real)).toEqual([]);
    expect(differences({ code: 'OTHER', data: { id: 'py_...', amount: 6, gone: 1 } }, real)).toHaveLength(4);
    expect(differentLines('a ...\nb', 'a 1\r\nb\n')).toEqual([]);
    expect(differentLines('a\nb', 'a\nc')).toHaveLength(1);
  });

  it('whose command fails is seen, and so is what it printed', async () => {
    const blocks = blocksOf('```sh\nX=1\n```\n```sh\necho "$X"; false\n```\n');
    await expect(runGuide(blocks, {})).rejects.toThrow(/line 4[^]*\n1\n/);
  });

  test.each(RUN)('%s: every snippet is one that is run, or what one prints', (name) => {
    const blocks = readGuide(name);
    const shell = blocks.filter(({ language }) => language === 'sh').map(({ text }) => text);
    for (const block of blocks.filter(({ language }) => !PICTURES.includes(language) && language !== 'sh')) {
      const file = fileNameOf(block);
      expect([block.line, block.language]).toEqual([block.line, 'js']);
      const uses = [...shell, ...blocks.filter((other) => other !== block).map(({ text }) => text)];
      expect([block.line, uses.some((text) => file !== undefined && text.includes(file))]).toEqual([block.line, true]);
    }
  });
}); // prettier-ignore

describe('the guides, run', () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({
      webhooksCount: 1,
      environment: { WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8' },
    });
  });
  afterAll(() => system.stop());

  test.each(RUN)('%s', async (name) => {
    const { DB_HOST = '', DB_PORT = '', DB_USER = '', DB_PASSWORD = '', DB_NAME = '' } = system.environment;
    const merchant = await system.createMerchant(`Guide ${name}`);
    const ran = await runGuide(readGuide(name), {
      HOLDFAST_URL: system.apiUrl,
      HOLDFAST_KEY: merchant.apiKey,
      HOLDFAST_ADMIN_KEY: system.adminKey,
      HOLDFAST_MERCHANT_ID: merchant.merchantId,
      STRIPE: system.sandbox.url,
      PORT: String(await freePort()),
      DATABASE_URL: `postgres://${DB_USER}:${DB_PASSWORD}@${DB_HOST}:${DB_PORT}/${DB_NAME}`,
    });
    for (const { block, printed, expected } of ran) {
      if (expected === undefined) continue;
      const found =
        expected.language === 'json'
          ? differences(JSON.parse(expected.text), JSON.parse(printed))
          : differentLines(expected.text, printed);
      expect([`line ${block.line}`, found]).toEqual([`line ${block.line}`, []]);
    }
    expect(ran.length).toBeGreaterThan(0);
  });
}); // prettier-ignore
