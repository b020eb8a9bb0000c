/** The embedded stack's own keys: made once, kept beside the data they protect. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DevSecrets {
  readonly HOLDFAST_ADMIN_KEY: string;
  readonly HOLDFAST_ENCRYPTION_KEYS: string;
  readonly HOLDFAST_PAYLOAD_KEYS: string;
  readonly CODEC_TOKENS: string;
}

/** What a folder of an earlier version does not have yet is added to what it has. */
export function devSecrets(dataDir: string): DevSecrets {
  const file = join(dataDir, 'secrets.json');
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<DevSecrets>) : {};
  const secrets: DevSecrets = {
    HOLDFAST_ADMIN_KEY: `hf_admin_${randomBytes(24).toString('base64url')}`,
    HOLDFAST_ENCRYPTION_KEYS: `dev:${randomBytes(32).toString('base64')}`,
    HOLDFAST_PAYLOAD_KEYS: `dev:${randomBytes(32).toString('base64')}`,
    CODEC_TOKENS: `web-ui:${randomBytes(24).toString('base64url')}`,
    ...kept,
  };
  const isWhole = Object.keys(kept).length === Object.keys(secrets).length;
  if (!isWhole) writeFileSync(file, JSON.stringify(secrets, undefined, 2), { mode: 0o600 });
  return secrets;
}
