/** The style as a test: import directions, sizes, nothing left behind. Every checker is shown something bad first. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';
import { renderEnvExample } from '../dev/env-example';

const ROOT = join(__dirname, '..');
const MAX_FILE_LINES = 300;
const MAX_FUNCTION_LINES = 70;

/** Tracked files and those about to be, so that a mistake is found before it is committed. */
const FILES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(ROOT, path)));
const SOURCES = FILES.filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'));
const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** A part of src, and what it may import besides itself. `npm` = packages and Node's own modules. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  workflows: ['domain', 'npm:@temporalio/workflow', 'type:activities'],
  channels: ['domain', 'config', 'observability', 'npm'],
  stores: ['domain', 'config', 'observability', 'npm'],
  redis: ['domain', 'config', 'observability', 'npm'],
  webhooks: ['domain', 'stores', 'workflows/messages', 'config', 'observability', 'npm'],
  routing: ['domain', 'channels', 'stores', 'redis', 'config', 'observability', 'npm'],
  activities: ['domain', 'channels', 'stores', 'redis', 'webhooks', 'config', 'observability', 'npm'],
  temporal: ['domain', 'workflows/messages', 'config', 'observability', 'npm'],
  worker: ['activities', 'workflows', 'temporal', 'config', 'observability', 'npm'],
  api: [
    ...['domain', 'stores', 'redis', 'channels', 'webhooks/ssrf-guard', 'workflows/messages', 'temporal'],
    ...['routing', 'config', 'observability', 'npm'],
  ],
  config: ['npm'],
  observability: ['config', 'npm'],
  'runtime.ts': [
    ...['domain', 'activities', 'channels', 'stores', 'redis', 'routing', 'webhooks', 'temporal', 'config'],
    ...['observability', 'npm'],
  ],
};
const MAY_IMPORT_RUNTIME = ['src/api/main.ts', 'src/worker/main.ts'];

interface Import {
  readonly module: string;
  readonly isTypeOnly: boolean;
}

function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
}

/** Imports, re-exports, `import('...')` as call and as type, and `require`. */
function importsOf(source: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const isTypeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      found.push({ module: node.moduleSpecifier.text, isTypeOnly });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      found.push({ module: (node.moduleSpecifier as ts.StringLiteral).text, isTypeOnly: node.isTypeOnly });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      found.push({ module: (node.argument.literal as ts.StringLiteral).text, isTypeOnly: true });
    } else if (ts.isCallExpression(node)) {
      const callee = node.expression.getText(source);
      const [argument] = node.arguments;
      const loads = callee === 'import' || callee === 'require';
      if (loads && argument !== undefined && ts.isStringLiteral(argument))
        found.push({ module: argument.text, isTypeOnly: false });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** `src/api/routes/x.ts` belongs to `api`, `src/runtime.ts` to `runtime.ts`. */
function partOf(path: string): string {
  const [, part = ''] = path.split('/');
  return path === 'src/runtime' ? 'runtime.ts' : part;
}

function importProblems(path: string, text: string): string[] {
  return importsOf(parse(path, text)).flatMap(({ module, isTypeOnly }) => {
    const isOurs = module.startsWith('.');
    const target = isOurs ? posix.normalize(posix.join(posix.dirname(path), module)) : module;
    return isAllowed(path, target, isOurs, isTypeOnly) ? [] : [`${path} imports ${target}`];
  });
}

function isAllowed(path: string, target: string, isOurs: boolean, isTypeOnly: boolean): boolean {
  if (isOurs && !target.startsWith('src/')) return false;
  if (target === 'src/runtime') return MAY_IMPORT_RUNTIME.includes(path);
  const part = partOf(path);
  const allowed = MAY_IMPORT[part] ?? [];
  if (!isOurs) return allowed.includes('npm') || allowed.includes(`npm:${target}`);
  const inSrc = target.slice('src/'.length);
  return (
    partOf(target) === part ||
    allowed.some((entry) => inSrc === entry || inSrc.startsWith(`${entry}/`)) ||
    (isTypeOnly && allowed.includes(`type:${partOf(target)}`))
  );
}

function sizeProblems(path: string, text: string): string[] {
  const lines = text.trimEnd().split('\n').length;
  const problems = lines > MAX_FILE_LINES ? [`${path} has ${lines} lines`] : [];
  const source = parse(path, text);
  const visit = (node: ts.Node): void => {
    if (isFunction(node) && !isSuite(node, source)) {
      const long = ownLines(node, source);
      const at = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
      if (long > MAX_FUNCTION_LINES) problems.push(`${path}:${at} is a function of ${long} lines`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return problems;
}

function isFunction(node: ts.Node): boolean {
  return ts.isFunctionLike(node) && 'body' in node && node.body !== undefined;
}

/** Lines of a function without those of the named functions in it (a factory's verbs), which are counted themselves. */
function ownLines(node: ts.Node, source: ts.SourceFile): number {
  const lineOf = (position: number) => source.getLineAndCharacterOfPosition(position).line;
  let lines = lineOf(node.getEnd()) - lineOf(node.getStart(source)) + 1;
  const visit = (inner: ts.Node): void => {
    if (isFunction(inner) && isNamed(inner))
      lines -= lineOf(inner.getEnd()) - lineOf(inner.getStart(source)) + 1;
    else ts.forEachChild(inner, visit);
  };
  ts.forEachChild(node, visit);
  return lines;
}

function isNamed(node: ts.Node): boolean {
  if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) return true;
  return ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent);
}

/** The body of a `describe` groups tests; it is not a function that anybody has to follow. */
function isSuite(node: ts.Node, source: ts.SourceFile): boolean {
  return ts.isCallExpression(node.parent) && /^describe\b/.test(node.parent.expression.getText(source));
}

function leftoverProblems(path: string, text: string): string[] {
  const focused = /\b(?:describe|it|test)\s*\.\s*(?:only|skip|failing|todo)\b|\b(?:fdescribe|fit|xdescribe|xit|xtest)\s*\(/;
  return focused.test(text) ? [`${path} focuses or skips a test`] : [];
} // prettier-ignore

/** Contract tests against the real Stripe run only where a key is given: they may be skipped, and say so. */
const MAY_SKIP = ['test/contract/stripe.test.ts'];

function machineProblems(path: string, text: string): string[] {
  // Written apart, so that this file does not find itself.
  const hosts = ['registry.npm' + 'js.org', 'registry.yarn' + 'pkg.com', 'proxy.golang' + '.org', 'npmmirror' + '.com'];
  const folders = ['/ro' + 'ot/', '/ho' + 'me/', '/wo' + 'rk/', '/Use' + 'rs/'];
  const lines = text.split('\n');
  return [...hosts, ...folders].flatMap((word) => {
    // A folder of the file system, not a part of an address or of a longer path.
    const line = lines.findIndex((one) => startsWord(one, word, folders.includes(word)));
    return line < 0 ? [] : [`${path}:${line + 1} names ${word}`];
  });
} // prettier-ignore

function startsWord(line: string, word: string, isFolder: boolean): boolean {
  const at = line.indexOf(word);
  return at >= 0 && !(isFolder && at > 0 && /[\w.~}-]/.test(line[at - 1] ?? ''));
}

const problemsOf = (paths: readonly string[], check: (path: string, text: string) => string[]) =>
  paths.flatMap((path) => check(path, textOf(path)));

describe('import directions', () => {
  test('every part of src is known', () => {
    const parts = SOURCES.filter((path) => path.startsWith('src/')).map((path) =>
      partOf(path.replace(/^src\/runtime\.ts$/, 'src/runtime')),
    );
    expect([...new Set(parts)].filter((part) => !(part in MAY_IMPORT))).toEqual([]);
  });

  test.each([
    ['src/domain/money.ts', "import { z } from 'zod';"],
    ['src/domain/money.ts', "import { createHash } from 'node:crypto';"],
    ['src/domain/money.ts', "import type { Database } from '../stores/postgres';"],
    ['src/workflows/x.ts', "import { createActivities } from '../activities';"],
    ['src/workflows/x.ts', "export * from '../stores/outbox';"],
    ['src/workflows/x.ts', "import { Client } from '@temporalio/client';"],
    ['src/channels/x.ts', "import { createDatabase } from '../stores/postgres';"],
    ['src/stores/x.ts', "const app = await import('../api/app');"],
    ['src/api/x.ts', "import { pickUp } from '../activities/pickup';"],
    ['src/api/x.ts', "import { preAuth } from '../workflows';"],
    ['src/api/x.ts', "import { deliver } from '../webhooks/deliver';"],
    ['src/api/x.ts', "import { createFoundation } from '../runtime';"],
    ['src/activities/x.ts', "import { errors } from '../api/errors';"],
    ['src/temporal/x.ts', "import { deps } from '../activities';"],
    ['src/config/x.ts', "const log = require('../observability/logger');"],
    ['src/api/routes/x.ts', "import { seed } from '../../../dev/seed';"],
    ['src/api/x.ts', "type Setup = import('../../test/setup/database').Setup;"],
  ])('%s may not: %s', (path, line) => expect(importProblems(path, line)).toHaveLength(1));

  test.each([
    ['src/workflows/x.ts', "import type { Step } from '../activities/channel';"],
    ['src/api/routes/x.ts', "import { captureUpdate } from '../../workflows/messages';"],
    ['src/api/main.ts', "import { createFoundation } from '../runtime';"],
    ['src/worker/main.ts', "import { createFoundation } from '../runtime';"],
    ['src/stores/x.ts', "import { hold } from '../domain/pre-auth'; import pg from 'pg';"],
  ])('%s may: %s', (path, line) => expect(importProblems(path, line)).toEqual([]));

  test('are kept', () => {
    const sources = SOURCES.filter((path) => path.startsWith('src/'));
    expect(sources.length).toBeGreaterThan(50);
    expect(problemsOf(sources, importProblems)).toEqual([]);
  });
});

describe('sizes', () => {
  test('a long file, a long function and a long method are seen; a long suite is none', () => {
    const body = 'call();\n'.repeat(MAX_FUNCTION_LINES);
    expect(sizeProblems('x.ts', 'call();\n'.repeat(MAX_FILE_LINES + 1))).toHaveLength(1);
    expect(sizeProblems('x.ts', `function f() {\n${body}}`)).toHaveLength(1);
    expect(sizeProblems('x.ts', `const f = async () => {\n${body}};`)).toHaveLength(1);
    expect(sizeProblems('x.ts', `class A {\n m() {\n${body}}\n}`)).toHaveLength(1);
    const verbs = `function verb() {\n${'call();\n'.repeat(40)}}\n`.repeat(2);
    expect(sizeProblems('x.ts', `function factory() {\n${verbs}}`)).toEqual([]);
    expect(sizeProblems('x.ts', `function factory() {\n${verbs}${body}}`)).toHaveLength(1);
    expect(sizeProblems('x.ts', `describe('a', () => {\n${body}});`)).toEqual([]);
  });

  test('files and functions are short', () => {
    expect(problemsOf(SOURCES, sizeProblems)).toEqual([]);
  });
});

describe('nothing is left behind', () => {
  const TESTS = SOURCES.filter((path) => path.startsWith('test/') && !MAY_SKIP.includes(path));

  test.each(['test.on' + 'ly("x", f);', 'describe.sk' + 'ip("x", f);', 'xi' + 't("x", f);', 'it.to' + 'do("x");'])(
    '%s is seen',
    (line) => expect(leftoverProblems('x.ts', line)).toHaveLength(1),
  );

  test('no test is focused or skipped', () => {
    expect(TESTS.length).toBeGreaterThan(20);
    expect(problemsOf(TESTS, leftoverProblems)).toEqual([]);
  });

  test.each(['"resolved": "https://registry.npm' + 'js.org/x"', 'const home = "/ho' + 'me/ann/x";', '# see /ro' + 'ot/x'])(
    '%s is seen',
    (line) => expect(machineProblems('x', line)).toHaveLength(1),
  );

  test.each(['https://example.com/ho' + 'me/x', '~/wo' + 'rk/x', '${dir}/ho' + 'me/'])('%s is no machine', (line) =>
    expect(machineProblems('x', line)).toEqual([]),
  );

  test('no file names a registry or a folder of one machine', () => {
    const texts = FILES.filter((path) => !/\.(png|ico|gz|woff2?|svg)$/.test(path));
    expect(problemsOf(texts, machineProblems)).toEqual([]);
  });
}); // prettier-ignore

describe('what is generated is fresh (npm run generate; db/schema.sql: test/stores/schema.test.ts)', () => {
  test('.env.example', () => expect(textOf('.env.example')).toBe(renderEnvExample()));
});
