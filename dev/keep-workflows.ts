/**
 * Keeps the workflows as they are now for the test that opens holds under the previous build and finishes them under the
 * next: `node --import tsx dev/keep-workflows.ts`, run when a version is released (docs/versioning.md). Written without types
 * and comments, so that it is small: sources of the workflows and of what they import.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { ROOT } from './stack/paths';

export const KEPT_FILE = 'test/workflows/previous-workflows.json';

export interface KeptWorkflows {
  readonly version: string;
  /** By path below `src`: `workflows/index.js`. */
  readonly files: Readonly<Record<string, string>>;
}

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  removeComments: true,
};

/** @param root of a checkout */
function workflowsOf(root: string): KeptWorkflows {
  const source = join(root, 'src');
  const files: Record<string, string> = {};
  const waiting = [join(source, 'workflows/index')];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const name = `${relative(source, path)}.js`;
    if (files[name] !== undefined) continue;
    const { outputText } = ts.transpileModule(readFileSync(`${path}.ts`, 'utf8'), {
      compilerOptions: OPTIONS,
    });
    files[name] = outputText;
    for (const [, module = ''] of outputText.matchAll(/from '(\.[^']+)'/g)) {
      waiting.push(join(dirname(path), module));
    }
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return { version, files: Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))) };
}

if (require.main === module) {
  const kept = workflowsOf(process.argv[2] ?? ROOT);
  writeFileSync(join(ROOT, KEPT_FILE), `${JSON.stringify(kept, null, 2)}\n`);
  console.log(`${Object.keys(kept.files).length} files of ${kept.version} are in ${KEPT_FILE}`);
}
