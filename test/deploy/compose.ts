/** docker-compose.yml as `docker compose` understands it: merged, and with the variables of nobody's environment. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const ROOT = join(__dirname, '../..');

export interface Service {
  readonly image: string;
  readonly build?: { readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly volumes?: readonly string[];
  readonly networks: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly restart?: string;
  readonly user?: string;
  readonly profiles?: readonly string[];
  readonly ulimits?: Readonly<Record<string, number>>;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly deploy?: {
    readonly resources: { readonly limits: { readonly cpus: string; readonly memory: string } };
  };
}
export interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly configs: Readonly<Record<string, { readonly file: string }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** The value of `${NAME:-fallback}` where NAME is not set; `$$` is a dollar. */
export function interpolated(text: string): string {
  return text.replace(/\$\$|\$\{\w+(?::-([^}]*))?\}/g, (all, fallback: string | undefined) =>
    all === '$$' ? '$' : (fallback ?? ''),
  );
}

export function readCompose(): Compose {
  const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
  const all: unknown = parse(text, { merge: true });
  return JSON.parse(JSON.stringify(all), (_, value: unknown) =>
    typeof value === 'string' ? interpolated(value) : value,
  ) as Compose;
}
