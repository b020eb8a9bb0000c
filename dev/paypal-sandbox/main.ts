/**
 * The PayPal sandbox as a process of its own.
 *
 * PORT (12112), HOST (127.0.0.1), SANDBOX_DATA_DIR (state survives a restart; empty: in memory),
 * SANDBOX_CLIENTS (`client_id:client_secret`, comma separated: one account each).
 */
import { DEFAULT_CLIENTS, startPayPalSandbox } from './server';

async function main(): Promise<void> {
  const sandbox = await startPayPalSandbox({
    port: Number(process.env['PORT'] ?? 12112),
    host: process.env['HOST'] ?? '127.0.0.1',
    dataDir: process.env['SANDBOX_DATA_DIR'] ?? '',
    clients: process.env['SANDBOX_CLIENTS'] ?? DEFAULT_CLIENTS,
  });
  console.log(`PayPal sandbox at ${sandbox.url}`);
  const stop = () => void sandbox.stop().then(() => process.exit(0));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

main().catch((error: unknown) => {
  console.error(`The PayPal sandbox cannot start: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
