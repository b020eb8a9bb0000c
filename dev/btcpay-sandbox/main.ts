/**
 * The BTCPay sandbox as a process of its own.
 *
 * PORT (12114), HOST (127.0.0.1), SANDBOX_DATA_DIR (state survives a restart; empty: in memory), SANDBOX_API_KEY,
 * SANDBOX_STORE_ID, SANDBOX_WEBHOOK_SECRET.
 */
import { run } from '../sandbox/http';
import { DEFAULT_API_KEY, DEFAULT_STORE_ID, DEFAULT_WEBHOOK_SECRET, startBtcpaySandbox } from './server';

run(
  'BTCPay',
  startBtcpaySandbox({
    port: Number(process.env['PORT'] ?? 12114),
    host: process.env['HOST'] ?? '127.0.0.1',
    dataDir: process.env['SANDBOX_DATA_DIR'] ?? '',
    apiKey: process.env['SANDBOX_API_KEY'] ?? DEFAULT_API_KEY,
    storeId: process.env['SANDBOX_STORE_ID'] ?? DEFAULT_STORE_ID,
    webhookSecret: process.env['SANDBOX_WEBHOOK_SECRET'] ?? DEFAULT_WEBHOOK_SECRET,
  }),
);
