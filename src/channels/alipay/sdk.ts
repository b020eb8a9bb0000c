/** The only door to `alipay-sdk`: the order of these imports is what keeps the process safe, see socket-guard.ts. */
import { restoreSocketDestroy } from './socket-guard';
import { AlipaySdk } from 'alipay-sdk';

restoreSocketDestroy();

export { AlipaySdk };
