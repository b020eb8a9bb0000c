/** .env.example, rendered from the one schema of the settings. */
import type { z } from 'zod';
import { configSchema } from '../src/config/config';

const WIDTH = 110;
/** Obviously no secrets, and of the right form all the same. */
const EXAMPLES: Readonly<Record<string, string>> = {
  HOLDFAST_ADMIN_KEY: 'example-only-replace-me-with-32-random-characters',
  HOLDFAST_ENCRYPTION_KEYS: 'example:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
};

const HEADER = `# The settings of Holdfast's processes, read from the environment once at their start.
# Generated from src/config/config.ts by npm run generate: do not edit. A line that is commented out shows the default.
# Temporal's own settings (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, ...) are those of its SDKs.
`;

export function renderEnvExample(): string {
  const groups = new Map<string, string[]>();
  for (const [name, schema] of Object.entries(configSchema.shape)) {
    const prefix = name.split('_')[0] ?? name;
    groups.set(prefix, [...(groups.get(prefix) ?? []), renderVariable(name, schema)]);
  }
  return `${HEADER}\n${[...groups.values()].map((lines) => lines.join('')).join('\n')}`;
}

function renderVariable(name: string, schema: z.ZodType): string {
  const comment = wrap(schema.description ?? '');
  // An absent variable is parsed as undefined: what comes out is the default, and a refusal means it is required.
  const absent = schema.safeParse(undefined);
  if (absent.success) return `${comment}#${name}=${String(absent.data)}\n`;
  return `${comment}# required, for example:\n${name}=${EXAMPLES[name] ?? ''}\n`;
}

function wrap(text: string): string {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > WIDTH) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line].map((one) => `${one}\n`).join('');
}
