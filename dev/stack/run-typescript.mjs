/**
 * Runs a script of ours in this process: each TypeScript file is translated on its own when it is first loaded, and kept
 * by its contents, so that the next process reads plain JavaScript. It is what `node --import tsx` does, for half the time:
 * a start of a service loads two hundred files of ours and a thousand of packages, which here nothing looks at.
 * Usage: node dev/stack/run-typescript.mjs <script.ts> [arguments...]
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import Module, { createRequire, SourceMap } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const CACHE = join(dirname(fileURLToPath(import.meta.url)), '../../node_modules/.cache/holdfast/translated');

const OPTIONS = {
  swcrc: false,
  configFile: false,
  jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
  // Packages that are ES modules are loaded with import(), which must stay one.
  module: { type: 'commonjs', ignoreDynamic: true },
  sourceMaps: 'inline',
};
const MAP_COMMENT = '//# sourceMappingURL=data:application/json;base64,';
const { version } = require('@swc/core/package.json');
const SALT = JSON.stringify([version, OPTIONS]);

function translated(filename) {
  const source = readFileSync(filename, 'utf8');
  const hash = createHash('sha256').update(`${SALT}\0${filename}\0`).update(source).digest('hex');
  const file = join(CACHE, `${hash.slice(0, 32)}.js`);
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Not there yet. Loaded only when needed: it is native and large.
    const { code } = require('@swc/core').transformSync(source, { ...OPTIONS, filename });
    keep(file, code);
    return code;
  }
}

/** Only a whole file ever has the final name, however many processes translate it at once. */
function keep(file, code) {
  try {
    mkdirSync(CACHE, { recursive: true });
    const unfinished = `${file}.${process.pid}`;
    writeFileSync(unfinished, code);
    renameSync(unfinished, file);
  } catch {
    // A checkout that cannot be written to is translated at every start.
  }
}

function mapOf(filename) {
  try {
    const code = translated(filename);
    const text = code.slice(code.lastIndexOf(MAP_COMMENT) + MAP_COMMENT.length);
    return new SourceMap(JSON.parse(Buffer.from(text, 'base64').toString()));
  } catch {
    // The file has gone since it was loaded: then the stack shows lines of the translation.
    return undefined;
  }
}

/** Where a line of ours was written; undefined for what was not translated. */
function originOf(filename, line, column) {
  if (!filename?.endsWith('.ts')) return undefined;
  if (!maps.has(filename)) maps.set(filename, mapOf(filename));
  const { originalLine, originalColumn } = maps.get(filename)?.findEntry(line - 1, column - 1) ?? {};
  return originalLine === undefined ? undefined : `${filename}:${originalLine + 1}:${originalColumn + 1}`;
}

/** As `--enable-source-maps` would show it, which reads the map of every file at its loading, whether anything fails or not. */
function showStack(error, frames) {
  const lines = frames.map((frame) => {
    const [file, line, column] = [frame.getFileName(), frame.getLineNumber(), frame.getColumnNumber()];
    const origin = originOf(file, line, column);
    const text = frame.toString();
    return `\n    at ${origin === undefined ? text : text.replace(`${file}:${line}:${column}`, origin)}`;
  });
  return `${Error.prototype.toString.call(error)}${lines.join('')}`;
}

const maps = new Map();
Error.prepareStackTrace = showStack;
// Being known, the ending is also tried where an import names none.
Module._extensions['.ts'] = (module, filename) => module._compile(translated(filename), filename);
process.argv.splice(1, 1);
require(resolve(process.argv[1]));
