/** The OpenAPI document of the whole API, as a process of it answers, without any server: routes are data. */
import type { AddressInfo } from 'node:net';
import { buildApp } from '../src/api/build-app';
import type { ApiParts } from '../src/api/build-app';
import { loadConfig } from '../src/config/config';

export interface ApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly [field: string]: unknown;
}

/** Stands in the place of a part that no handler will ask for anything. */
const nothing: unknown = new Proxy(() => undefined, {
  get: (_, name) => (name === 'then' || name === Symbol.toPrimitive ? undefined : nothing),
  apply: () => nothing,
});

/** What the settings need to be valid; none of it is used. */
const SETTINGS = {
  NODE_ENV: 'test',
  HOLDFAST_ADMIN_KEY: 'hf_admin_000000000000000000000000',
  HOLDFAST_ENCRYPTION_KEYS: `1:${Buffer.alloc(32).toString('base64')}`,
};

export async function apiDocument(): Promise<ApiDocument> {
  const config = loadConfig(SETTINGS);
  const known = { config, tracing: undefined };
  const parts = new Proxy(known as unknown as ApiParts, {
    get: (target, name: keyof ApiParts) => (name in target ? target[name] : nothing),
  });
  const server = buildApp(parts).listen(0, '127.0.0.1');
  try {
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/openapi.json`);
    return (await response.json()) as ApiDocument;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
