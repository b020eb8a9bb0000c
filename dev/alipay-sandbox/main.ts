/**
 * The Alipay sandbox as a process of its own.
 *
 * PORT (12113), HOST (127.0.0.1), SANDBOX_DATA_DIR (state and keys survive a restart; empty: in memory),
 * SANDBOX_APP_ID (of the first application), SANDBOX_CURRENCIES (its contract's, beside CNY; comma separated).
 * Keys are made at the first start: `GET /_control/credentials` tells them in the form of a channel account.
 */
import { run } from '../sandbox/http';
import { startAlipaySandbox } from './server';

const appId = process.env['SANDBOX_APP_ID'] ?? '';

run(
  'Alipay',
  startAlipaySandbox({
    port: Number(process.env['PORT'] ?? 12113),
    host: process.env['HOST'] ?? '127.0.0.1',
    dataDir: process.env['SANDBOX_DATA_DIR'] ?? '',
    ...(appId === '' ? {} : { appId }),
    currencies: (process.env['SANDBOX_CURRENCIES'] ?? '').split(',').filter((code) => code !== ''),
  }),
);
