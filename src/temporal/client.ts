/** Where Temporal is, and clients of it. */
import { Client, Connection } from '@temporalio/client';
import type { ClientInterceptors } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { Config } from '../config/config';
import { createDataConverter } from '../observability/payload-codec';
import type { Tracing } from '../observability/tracing';

/** Address, namespace, TLS and key of Temporal, from TEMPORAL_* and the TOML profile. */
export function temporalSettings() {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  return { connectionOptions, namespace: namespace ?? 'default' };
}

/** A client that connects when it is first used: the API starts, and takes holds, without Temporal. */
export function createLazyTemporalClient(
  config: Config,
  tracing?: Tracing,
): { client: Client; connection: Connection } {
  const { connectionOptions, namespace } = temporalSettings();
  const { address, tls, apiKey, metadata } = connectionOptions;
  const connection = Connection.lazy({
    ...(address !== undefined ? { address } : {}),
    ...(tls !== undefined ? { tls } : {}),
    ...(typeof apiKey === 'string' ? { apiKey } : {}),
    ...(metadata !== undefined ? { metadata } : {}),
  });
  const dataConverter = createDataConverter(config);
  const interceptors = clientInterceptors(tracing);
  return { connection, client: new Client({ connection, namespace, dataConverter, interceptors }) };
}

/** Where there are traces, workflows and commands carry theirs. */
export function clientInterceptors(tracing: Tracing | undefined): ClientInterceptors {
  return { workflow: tracing === undefined ? [] : [tracing.workflowClient] };
}
