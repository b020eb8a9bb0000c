/** Stops what global-setup started; the temporary folder goes with it. */
import type { GlobalWithStack } from './global-setup';

export default async function globalTeardown(): Promise<void> {
  await (globalThis as GlobalWithStack).holdfastStack?.stop();
}
