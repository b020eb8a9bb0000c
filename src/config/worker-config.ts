/** A worker takes no requests: it does not need the admin key, and forgets it where it is given one. */
import { z } from 'zod';
import { configSchema, loadConfig } from './config';
import type { Config } from './config';

export const workerConfigSchema = configSchema.extend({
  HOLDFAST_ADMIN_KEY: z
    .unknown()
    .optional()
    .transform(() => ''),
});

/** @throws Error like `loadConfig` */
export function loadWorkerConfig(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Config {
  return loadConfig(environment, workerConfigSchema);
}
