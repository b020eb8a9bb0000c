/** Every sentence that a caller can be told stands in the catalogue, in both languages. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { z } from 'zod';
import { ERROR_SENTENCES } from '../../src/domain/messages/error-sentences';
import { CATALOGUE, localized, translated } from '../../src/domain/messages/localize';

const ROOT = join(__dirname, '../..');
const CHINESE = /[\u4e00-\u9fff]/;
/** Three words of English in a row are a sentence; `Authorization: Bearer hf_...` and field names are not. */
const ENGLISH = /[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}/;
const WORDS_LEFT_ALONE = new Set(['null']);

const placesOf = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

describe('the catalogue', () => {
  test.each(CATALOGUE.map(({ en, zh }) => [en, zh]))('%s', (en, zh) => {
    if (!WORDS_LEFT_ALONE.has(en)) expect(zh).toMatch(CHINESE);
    expect(zh).not.toMatch(ENGLISH);
    expect(placesOf(zh).filter((name) => !placesOf(en).includes(name))).toEqual([]);
  });

  test('has no sentence twice', () => {
    const sentences = CATALOGUE.map(({ en }) => en);
    expect(sentences.filter((en, index) => sentences.indexOf(en) !== index)).toEqual([]);
  });

  test('an answer is told wholly in one language, whatever is in it', () => {
    const refusal = {
      code: 'CHANNEL_DECLINED',
      message: 'The channel declined: insufficient_funds.',
      details: {
        decline_code: 'insufficient_funds',
        reason: 'its port is not allowed',
        issues: [
          { path: 'amount', message: 'must be greater than 0' },
          { path: 'a', message: 'an English sentence nobody knows' },
        ],
      },
      request_id: 'r1',
    };
    expect(localized(refusal, 'en')).toEqual(refusal);
    expect(localized(refusal, 'zh')).toEqual({
      ...refusal,
      message: '渠道拒绝了请求：insufficient_funds。',
      details: {
        decline_code: 'insufficient_funds',
        reason: '端口不被允许',
        issues: [
          { path: 'amount', message: '必须大于 0' },
          { path: 'a', message: '无效' },
        ],
      },
    });
    const unknown = { code: 'NOT_FOUND', message: 'Something nobody has translated.' };
    expect(localized(unknown, 'zh').message).toBe(ERROR_SENTENCES.NOT_FOUND.zh);
    const nested = { code: 'AMOUNT_NOT_SUPPORTED', message: 'This channel does not take 1.00 USD: some new reason.' };
    expect(localized(nested, 'zh').message).toBe(ERROR_SENTENCES.AMOUNT_NOT_SUPPORTED.zh);
    expect(localized({ code: 'SUCCESS', message: 'Made anew' }, 'zh').message).toBe('成功');
  });

  test('what is put in stays as it is', () => {
    expect(translated('This channel does not take 0.30 USD: at least 0.50 USD.', 'zh')).toBe(
      '该渠道不接受 0.30 USD：至少 0.50 USD。',
    );
    expect(translated('Accepted; ask /api/v1/payments/P$1 for the outcome', 'zh')).toContain('/api/v1/payments/P$1');
  });
}); // prettier-ignore

describe('the sentences of the validator', () => {
  const bad: readonly [z.ZodType, unknown][] = [
    [z.string(), 3],
    [z.string().min(3), 'a'],
    [z.string().max(3), 'abcd'],
    [z.string().length(3), 'a'],
    [z.string().regex(/^a$/), 'b'],
    [z.int(), 1.5],
    [z.int(), 2e20],
    [z.int().min(1), 0],
    [z.int().max(5), 6],
    [z.number().positive(), -1],
    [z.coerce.number(), 'x'],
    [z.number(), Infinity],
    [z.number().multipleOf(5), 6],
    [z.enum(['a', 'b']), 'c'],
    [z.literal('a'), 'c'],
    [z.literal(['a', 'b']), 'c'],
    [z.uuid(), 'c'],
    [z.email(), 'c'],
    [z.url(), 'c'],
    [z.ipv4(), 'c'],
    [z.cidrv4(), 'c'],
    [z.iso.datetime({ offset: true }), 'c'],
    [z.iso.date(), 'c'],
    [z.union([z.ipv4(), z.ipv6()]), 'c'],
    [z.array(z.string()).min(1), []],
    [z.array(z.string()).max(1), ['', '']],
    [z.record(z.string().regex(/^a/), z.string()), { b: '' }],
    [z.discriminatedUnion('t', [z.object({ t: z.literal('a') })]), { t: 'x' }],
    [z.boolean(), null],
    [z.strictObject({}), []],
  ];

  test.each(bad.map(([schema, value]) => schema.safeParse(value).error?.issues[0]?.message ?? ''))('%s', (en) => {
    const zh = translated(en, 'zh') ?? '';
    expect(zh).toMatch(CHINESE);
    expect(zh).not.toMatch(/Invalid|Too |expected/);
  });
}); // prettier-ignore

/** Which argument of a call is a sentence for the caller. */
const SENTENCE_AT: Readonly<Record<string, number>> = {
  ...{ fail: 2, notSupported: 1, regex: 1, refine: 1, int: 0, positive: 0, min: 1, max: 1, multipleOf: 1 },
  number: 0,
};

interface Found {
  readonly path: string;
  readonly text: string;
}

/** Sentences in the sources: third arguments of fail and refuse, `message` fields, the texts of validators. */
function sentencesOf(path: string, text: string): Found[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const found: Found[] = [];
  const add = (node: ts.Expression | undefined): void => {
    if (node === undefined) return;
    // One word in lower case names something to programs.
    for (const sentence of textsOf(node, source)) if (!/^[a-z]+$/.test(sentence)) found.push({ path, text: sentence });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const name = node.expression.getText(source).replace(/^.*\./s, '');
      // Two functions have this name: that of the errors, with a code in front, and one of a report's validator.
      if (name === 'refuse') add(node.arguments[isCode(node.arguments[0]) ? 2 : 1]);
      else if (Object.hasOwn(SENTENCE_AT, name)) add(node.arguments[SENTENCE_AT[name] ?? 0]);
    } else if (ts.isPropertyAssignment(node) && node.name.getText(source) === 'message') add(node.initializer);
    else if (ts.isVariableDeclaration(node) && /^(message|NO_[A-Z]+|CREATED|REASONS|UNKNOWN)$/.test(node.name.getText(source)))
      add(node.initializer);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
} // prettier-ignore

const isCode = (node: ts.Expression | undefined) =>
  node !== undefined && ts.isStringLiteral(node) && /^[A-Z_]+$/.test(node.text);

/** The texts an expression can be; what is put into a template is `x1`. Names are looked up where they are declared. */
function textsOf(node: ts.Expression, source: ts.SourceFile): string[] {
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isTemplateExpression(node))
    return [node.head.text + node.templateSpans.map(({ literal }) => `x1${literal.text}`).join('')];
  if (ts.isConditionalExpression(node))
    return [...textsOf(node.whenTrue, source), ...textsOf(node.whenFalse, source)];
  if (ts.isAsExpression(node)) return textsOf(node.expression, source);
  if (ts.isObjectLiteralExpression(node))
    return node.properties.flatMap((field) =>
      ts.isPropertyAssignment(field) ? textsOf(field.initializer, source) : [],
    );
  return [];
}

describe('the sources', () => {
  const paths = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'src'], {
    cwd: ROOT,
    encoding: 'utf8',
  }).split('\n');
  const OF_CALLERS = /^src\/(api|domain|channels\/(\w+\/amounts|registry)|webhooks\/ssrf-guard|redis)/;
  const NOT_OF_CALLERS = /^src\/(domain\/messages|api\/docs|api\/openapi)/;
  const sources = paths.filter((path) => path.endsWith('.ts') && OF_CALLERS.test(path) && !NOT_OF_CALLERS.test(path) && existsSync(join(ROOT, path)));

  test('a sentence that the catalogue does not have is seen', () => {
    const bad = "throw fail('NOT_FOUND', {}, `No ${x} here.`); const y = { status: 200, message: a ? 'Never' : 'Success' };";
    expect(sentencesOf('x.ts', bad).filter(({ text }) => translated(text, 'zh') === undefined)).toHaveLength(2);
    expect(sentencesOf('x.ts', "z.string().regex(/a/, 'must be said')")).toHaveLength(1);
  });

  test('every sentence is in the catalogue', () => {
    const found = sources.flatMap((path) => sentencesOf(path, readFileSync(join(ROOT, path), 'utf8')));
    expect(found.length).toBeGreaterThan(80);
    const missing = found.filter(({ text }) => translated(text, 'zh') === undefined);
    expect(missing).toEqual([]);
  });
}); // prettier-ignore
