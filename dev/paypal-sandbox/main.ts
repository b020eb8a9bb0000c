/**
 * The PayPal sandbox as a process of its own.
 *
 * PORT (12112), HOST (127.0.0.1), SANDBOX_DATA_DIR (state survives a restart; empty: in memory),
 * SANDBOX_CLIENTS (`client_id:client_secret`, comma separated: one account each).
 */
import { run } from '../sandbox/http';
import { DEFAULT_CLIENTS, startPayPalSandbox } from './server';

run(
  'PayPal',
  startPayPalSandbox({
    port: Number(process.env['PORT'] ?? 12112),
    host: process.env['HOST'] ?? '127.0.0.1',
    dataDir: process.env['SANDBOX_DATA_DIR'] ?? '',
    clients: process.env['SANDBOX_CLIENTS'] ?? DEFAULT_CLIENTS,
  }),
);
