/**
 * The Stripe sandbox as a process of its own.
 *
 * PORT (12111), HOST (127.0.0.1), SANDBOX_DATA_DIR (state survives a restart; empty: in memory),
 * SANDBOX_SECRET_KEY (comma separated: one account each), SANDBOX_WEBHOOK_SECRET.
 */
import { run } from '../sandbox/http';
import { DEFAULT_SECRET_KEY, DEFAULT_WEBHOOK_SECRET, startStripeSandbox } from './server';

run(
  'Stripe',
  startStripeSandbox({
    port: Number(process.env['PORT'] ?? 12111),
    host: process.env['HOST'] ?? '127.0.0.1',
    dataDir: process.env['SANDBOX_DATA_DIR'] ?? '',
    secretKey: process.env['SANDBOX_SECRET_KEY'] ?? DEFAULT_SECRET_KEY,
    webhookSecret: process.env['SANDBOX_WEBHOOK_SECRET'] ?? DEFAULT_WEBHOOK_SECRET,
  }),
);
