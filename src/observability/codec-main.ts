/** The codec server's process: `node --import tsx src/observability/codec-main.ts`. Knows the payload keys and nothing else. */
import { z } from 'zod';
import { configSchema } from '../config/config';
import { codecSettings, payloadSettings } from '../config/payload-settings';
import { createCodecServer } from './codec-server';
import { createLogger } from './logger';
import { createPayloadCodec } from './payload-codec';

const settingsSchema = z.object({
  LOG_LEVEL: configSchema.shape.LOG_LEVEL,
  ...payloadSettings,
  ...codecSettings,
});

const DRAIN_MS = 2_000;

function main(): void {
  const parsed = settingsSchema.safeParse(process.env);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`These settings are missing or wrong (see .env.example):\n${lines.join('\n')}`);
  }
  const settings = parsed.data;
  const log = createLogger('codec', settings.LOG_LEVEL);
  const codec = createPayloadCodec(settings.HOLDFAST_PAYLOAD_KEYS, settings.HOLDFAST_PAYLOAD_ENCRYPTION);
  const server = createCodecServer({ codec, settings, log });
  server.on('error', (error) => {
    log.fatal({ err: error }, 'the codec server cannot listen');
    process.exitCode = 1;
  });
  server.listen(settings.CODEC_PORT, settings.CODEC_HOST, () => {
    log.info({ host: settings.CODEC_HOST, port: settings.CODEC_PORT }, 'codec server started');
  });
  const stop = (): void => {
    server.close(() => log.info('codec server stopped'));
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), DRAIN_MS).unref();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
}

try {
  main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
