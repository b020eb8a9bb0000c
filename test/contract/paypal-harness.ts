/** What the contracts need of PayPal, the real one or the sandbox. */
import { randomUUID } from 'node:crypto';
import type { Books } from '../../dev/paypal-sandbox/books';
import { DEFAULT_WEBHOOK_ID, startPayPalSandbox } from '../../dev/paypal-sandbox/server';
import type { PayPalSandbox } from '../../dev/paypal-sandbox/server';
import { createPayPalAdapter } from '../../src/channels/paypal/adapter';
import type { PayPalAdapter } from '../../src/channels/paypal/adapter';
import type { CallIdentity, ChannelAccount } from '../../src/domain/channel';

export interface PayPalTarget {
  /** Empty: PayPal itself, by the account's world. */
  readonly apiBase: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

export function paypalAccount({ clientId, clientSecret }: PayPalTarget): ChannelAccount {
  return {
    id: randomUUID(),
    channel: 'paypal',
    world: 'test',
    merchantId: null,
    credentials: { client_id: clientId, client_secret: clientSecret, webhook_id: DEFAULT_WEBHOOK_ID },
    contract: {},
  };
}

export interface PayPalControl {
  post(path: string, body?: object): Promise<Record<string, unknown>>;
  books(holdfastId?: string): Promise<Books>;
  fault(operation: string, fault: string, more?: object): Promise<unknown>;
}

export function paypalControl(url: string): PayPalControl {
  const post = async (path: string, body: object = {}) => {
    const response = await fetch(`${url}/_control/${path}`, { method: 'POST', body: JSON.stringify(body) });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  };
  return {
    post,
    books: async (holdfastId) => {
      const query = holdfastId === undefined ? '' : `?holdfast_id=${encodeURIComponent(holdfastId)}`;
      return (await (await fetch(`${url}/_books${query}`)).json()) as Books;
    },
    fault: (operation, fault, more = {}) => post('faults', { match: { operation }, fault, ...more }),
  };
}

export interface PayPalBench {
  readonly sandbox: PayPalSandbox;
  readonly control: PayPalControl;
  readonly adapter: PayPalAdapter;
  readonly target: PayPalTarget;
  readonly stop: () => Promise<void>;
}

/** A sandbox of its own, and an adapter that speaks to it. */
export async function startPayPalBench(dataDir = ''): Promise<PayPalBench> {
  const sandbox = await startPayPalSandbox({ dataDir });
  const target = { ...sandbox, apiBase: sandbox.url };
  const adapter = createPayPalAdapter(paypalAccount(target), sandbox.url);
  return {
    sandbox,
    control: paypalControl(sandbox.url),
    adapter,
    target,
    stop: async () => {
      adapter.close();
      await sandbox.stop();
    },
  };
}

/** Identities of one fresh object's calls. */
export function identities(kind: string): (operation: string) => CallIdentity {
  const holdfastId = `${kind}/${randomUUID()}/contract-1`;
  return (operation) => ({
    idempotencyKey: `${holdfastId}/${operation}`,
    holdfastId,
    holdfastCall: operation,
  });
}
