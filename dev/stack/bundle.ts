/** The workflow bundle, built once per version of its sources: a worker that bundles by itself starts seconds later. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths';
import { payloadConverter } from './payloads';

const SOURCES = ['src/workflows', 'src/domain'];
const CACHE = join(ROOT, 'node_modules/.cache/holdfast');

/**
 * @param environment of the workers: whether they encrypt decides how failures are written in workflows
 * @returns the path of the bundle, for WORKFLOW_BUNDLE
 */
export async function workflowBundle(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const { failureConverterPath } = payloadConverter(environment);
  const kind = failureConverterPath === undefined ? 'plain' : 'encoded';
  const file = join(CACHE, `workflows-${sourceHash(failureConverterPath)}-${kind}.js`);
  if (existsSync(file)) return file;
  // Loaded only when needed: it brings webpack and the native core with it.
  const { bundleWorkflowCode } = await import('@temporalio/worker');
  const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error: console.error, log() {} };
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(ROOT, 'src/workflows/index.ts'),
    workflowInterceptorModules: [join(ROOT, 'src/workflows/trace-headers.ts')],
    ...(failureConverterPath !== undefined && { failureConverterPath }),
    logger: quiet,
  });
  mkdirSync(CACHE, { recursive: true });
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, code);
  renameSync(unfinished, file);
  return file;
}

/** Hash of the sources, and of what Temporal's version makes of them. */
function sourceHash(failureConverterPath: string | undefined): string {
  const hash = createHash('sha256');
  hash.update(readFileSync(join(ROOT, 'node_modules/@temporalio/worker/package.json')));
  if (failureConverterPath !== undefined) hash.update(readFileSync(failureConverterPath));
  for (const folder of SOURCES) {
    const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
    for (const name of files.filter((one) => one.endsWith('.ts')).sort()) {
      hash.update(`${folder}/${name}\0`).update(readFileSync(join(ROOT, folder, name)));
    }
  }
  return hash.digest('hex').slice(0, 16);
}
