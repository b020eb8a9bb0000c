/** What a stack can be made of, and which ports that takes. */
import type { Fleet } from './fleets';
import type { PortName } from './ports';
import type { SandboxPart } from './sandboxes';

export type Part = 'postgres' | 'redis' | 'temporal' | 'codec' | SandboxPart | Fleet;

/** All, with Stripe as the one channel: what tests and benchmarks of holds and webhooks need. */
export const CORE_PARTS: readonly Part[] = [
  'postgres',
  'redis',
  'temporal',
  'sandbox',
  'api',
  'worker',
  'webhooks',
];
export const ALL_PARTS: readonly Part[] = [...CORE_PARTS, 'codec', 'paypal', 'alipay', 'btcpay'];

export const PORTS_OF: Readonly<Record<Part, readonly PortName[]>> = {
  postgres: ['postgres'],
  redis: ['redis'],
  temporal: ['temporal', 'temporalUi'],
  codec: ['codec'],
  sandbox: ['sandbox'],
  paypal: ['paypal'],
  alipay: ['alipay'],
  btcpay: ['btcpay'],
  api: ['api'],
  worker: ['workerHealth'],
  webhooks: ['webhooksHealth'],
};
