/** What a worker runs, as the Web UI shows it beside every workflow task: the version, and which workflow code of it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkflowBundleOption } from '@temporalio/worker';

const PACKAGE = join(__dirname, '../../package.json');
const HASH_LENGTH = 12;

/** @returns `0.1.0-3f9c2a7b81d0`: two workers with the same one replay the same histories in the same way */
export function buildIdOf(bundle: WorkflowBundleOption): string {
  const code = 'code' in bundle ? bundle.code : readFileSync(bundle.codePath);
  const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string };
  return `${version}-${createHash('sha256').update(code).digest('hex').slice(0, HASH_LENGTH)}`;
}
