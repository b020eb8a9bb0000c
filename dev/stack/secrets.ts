/** The embedded stack's own admin key and encryption key: made once, kept beside the data they protect. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DevSecrets {
  readonly HOLDFAST_ADMIN_KEY: string;
  readonly HOLDFAST_ENCRYPTION_KEYS: string;
}

export function devSecrets(dataDir: string): DevSecrets {
  const file = join(dataDir, 'secrets.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as DevSecrets;
  const secrets: DevSecrets = {
    HOLDFAST_ADMIN_KEY: `hf_admin_${randomBytes(24).toString('base64url')}`,
    HOLDFAST_ENCRYPTION_KEYS: `dev:${randomBytes(32).toString('base64')}`,
  };
  writeFileSync(file, JSON.stringify(secrets, undefined, 2), { mode: 0o600 });
  return secrets;
}
