/**
 * A guide as a script. `sh` blocks are run one after the other in one shell, `js` blocks are files named by their first line
 * (`// receiver.mjs`), and a `json` or `text` block right after a shell's is what it must have printed. `http` blocks, and a
 * `text` block elsewhere, are pictures.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const TIME_LIMIT_MS = 90_000;

export interface Block {
  readonly language: string;
  readonly text: string;
  /** Of the opening fence. */
  readonly line: number;
}

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { language: string; line: number; lines: string[] } | undefined;
  markdown.split('\n').forEach((line, index) => {
    const fence = /^```(\w*)$/.exec(line);
    if (open === undefined) {
      if (fence !== null) open = { language: fence[1] ?? '', line: index + 1, lines: [] };
    } else if (line === '```') {
      blocks.push({ language: open.language, line: open.line, text: open.lines.join('\n') });
      open = undefined;
    } else open.lines.push(line);
  });
  return blocks;
}

export const readGuide = (name: string) => blocksOf(readFileSync(join(ROOT, 'docs', `${name}.md`), 'utf8'));

export const fileNameOf = (block: Block) => /^\/\/ ([\w-]+\.m?js)\n/.exec(block.text)?.[1];

export interface Ran {
  readonly block: Block;
  readonly printed: string;
  /** What must have been printed, where the guide says so. */
  readonly expected: Block | undefined;
}

/**
 * Runs a guide in a folder of its own, in which the project's files are found as in a checkout.
 * @throws Error with the block and what was printed when a command fails or takes too long
 */
export async function runGuide(
  blocks: readonly Block[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Ran[]> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-guide-'));
  try {
    for (const name of readdirSync(ROOT))
      if (!name.startsWith('.')) symlinkSync(join(ROOT, name), join(folder, name));
    for (const block of blocks) {
      const name = block.language === 'js' ? fileNameOf(block) : undefined;
      if (name !== undefined) writeFileSync(join(folder, name), `${block.text}\n`);
    }
    const shells = blocks.filter(({ language }) => language === 'sh');
    await runScript(scriptOf(shells), folder, environment);
    return shells.map((block, index) => {
      const next = blocks[blocks.indexOf(block) + 1];
      const isExpected =
        next?.language === 'json' || (next?.language === 'text' && isRightAfter(block, next));
      const printed = readFileSync(join(folder, `.printed-${index}`), 'utf8');
      return { block, printed, expected: isExpected ? next : undefined };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const isRightAfter = (block: Block, next: Block) =>
  next.line - block.line - block.text.split('\n').length <= 3;

/** One shell for all, so that what a block sets the next one has; what still runs at the end is stopped. */
function scriptOf(shells: readonly Block[]): string {
  const steps = shells.map(
    (block, index) => `echo "the block at line ${block.line}" >&2\n{\n${block.text}\n} > .printed-${index}`,
  );
  return ['set -euo pipefail', "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT", ...steps].join('\n');
}

function runScript(
  script: string,
  cwd: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const env = { PATH: process.env['PATH'], HOME: cwd, ...environment };
  const child = spawn('bash', ['-c', script], { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  const said: Buffer[] = [];
  child.stderr.on('data', (bytes: Buffer) => said.push(bytes));
  const limit = setTimeout(() => child.kill(), TIME_LIMIT_MS);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(limit);
      if (code === 0) return resolve();
      const printed = readdirSync(cwd).filter((name) => name.startsWith('.printed-'));
      const last = printed.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
      const out = last === undefined ? '' : readFileSync(join(cwd, last), 'utf8');
      reject(new Error(`the guide ended with ${code}\n${Buffer.concat(said).toString()}\n${out}`));
    });
  });
}

/**
 * How a real answer differs from the guide's: every field the guide shows must be there, of its kind and, where it is not
 * made up anew each time, with its value. `...` in a text stands for anything, and so does any time.
 * @returns the paths that differ
 */
export function differences(shown: unknown, real: unknown, path = ''): string[] {
  if (typeof shown === 'string' && typeof real === 'string') {
    const pattern = shown.split('...').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${pattern.join('.*')}$`, 's').test(real) ? [] : [`${path}: ${real}`];
  }
  if (isTime(shown) && isTime(real)) return [];
  if (typeof shown !== 'object' || shown === null || typeof real !== 'object' || real === null)
    return shown === real ? [] : [`${path}: ${JSON.stringify(real)}`];
  return Object.entries(shown).flatMap(([name, value]) =>
    differences(value, (real as Record<string, unknown>)[name], path === '' ? name : `${path}.${name}`),
  );
}

const isTime = (value: unknown) => typeof value === 'number' && value > 1.6e9 && value < 5e9;

/** The same for lines of text. */
export function differentLines(shown: string, real: string): string[] {
  const lines = (text: string) => text.replaceAll('\r', '').trimEnd().split('\n');
  const printed = lines(real);
  const expected = lines(shown);
  if (expected.length !== printed.length) return [`${printed.length} lines: ${real}`];
  return expected.flatMap((line, index) => differences(line, printed[index], `line ${index + 1}`));
}
