/** The workflows of the previous build, as dev/keep-workflows.ts kept them, bundled for a real worker. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DataConverter } from '@temporalio/common';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { KEPT_FILE } from '../../dev/keep-workflows';
import type { KeptWorkflows } from '../../dev/keep-workflows';
import { ROOT } from '../../dev/stack/paths';

/** Where the packages that the workflows import are found from. */
const FOLDER = join(ROOT, 'node_modules/.cache/holdfast/kept');

const KEPT = JSON.parse(readFileSync(join(ROOT, KEPT_FILE), 'utf8')) as KeptWorkflows;

/**
 * @param converter of the workers that are to run it
 * @param change makes another build of them, for the test of what must be noticed
 * @returns the path of the bundle
 */
export async function bundleKept(
  name: string,
  { failureConverterPath }: DataConverter,
  change: (path: string, source: string) => string = (_, source) => source,
): Promise<string> {
  const folder = join(FOLDER, `${name}-${process.pid}`);
  for (const [path, source] of Object.entries(KEPT.files)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, change(path, source));
  }
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(folder, 'workflows/index.js'),
    logger: new DefaultLogger('ERROR'),
    ...(failureConverterPath !== undefined && { failureConverterPath }),
  });
  const bundle = join(folder, 'bundle.js');
  writeFileSync(bundle, code);
  return bundle;
}

/** What it takes with it when it is not needed any more. */
export const keptFolder = (bundle: string) => dirname(bundle);
