/** The platform's account at each channel whose sandbox runs, and where that sandbox sends the account's events. */
import type { ChannelContract, ChannelName } from '../src/domain/channel';
import { askSandbox, callApi, expectOk, registerSandboxEvents } from './demo-client';
import { BTCPAY_CREDENTIALS, PAYPAL_CREDENTIALS, SANDBOX_PARTS, SANDBOXES } from './stack/sandboxes';
import type { SandboxPart } from './stack/sandboxes';
import { SANDBOX_SECRET_KEY, SANDBOX_WEBHOOK_SECRET } from './stack/settings';
import type { Environment } from './stack/settings';

export type SandboxUrls = Readonly<Partial<Record<SandboxPart, string>>>;

interface AccountOptions {
  readonly apiUrl: string;
  readonly adminKey: string;
  readonly sandboxes: SandboxUrls;
  readonly environment: Environment;
}

interface Account {
  readonly credentials: Readonly<Record<string, string>>;
  readonly contract?: ChannelContract;
}

interface ChannelSeed {
  readonly channel: ChannelName;
  readonly account: (sandboxUrl: string) => Account | Promise<Account>;
  /** Tells the sandbox where this account's events go; as often as it likes. */
  readonly register: (sandboxUrl: string, eventsUrl: string) => Promise<unknown>;
}

/** The channels beside Stripe, which has an account without its sandbox too. */
const CHANNEL_SEEDS: Readonly<Record<Exclude<SandboxPart, 'sandbox'>, ChannelSeed>> = {
  paypal: {
    channel: 'paypal',
    account: () => ({ credentials: PAYPAL_CREDENTIALS }),
    register: (sandboxUrl, url) =>
      askSandbox(`${sandboxUrl}/_control/webhook-endpoint`, {
        url,
        webhook_id: PAYPAL_CREDENTIALS.webhook_id,
      }),
  },
  alipay: {
    channel: 'alipay',
    account: async (sandboxUrl) => ({
      credentials: await askSandbox<Record<string, string>>(`${sandboxUrl}/_control/credentials`),
      contract: { preAuth: true },
    }),
    register: (sandboxUrl, url) => askSandbox(`${sandboxUrl}/_control/webhook-endpoint`, { url }),
  },
  btcpay: {
    channel: 'crypto',
    account: (sandboxUrl) => ({ credentials: { base_url: sandboxUrl, ...BTCPAY_CREDENTIALS } }),
    register: (sandboxUrl, url) =>
      askSandbox(`${sandboxUrl}/_control/webhooks`, { url, secret: BTCPAY_CREDENTIALS.webhook_secret }),
  },
};

/** Makes what is missing and registers what there is. An account made by hand is used as it is. */
export async function seedAccounts(options: AccountOptions): Promise<void> {
  const { apiUrl, sandboxes } = options;
  const known = await platformAccounts(options);
  const stripeId = known.stripe ?? (await createAccount(options, 'stripe', stripeAccount(options)));
  if (sandboxes.sandbox !== undefined) await registerSandboxEvents(sandboxes.sandbox, apiUrl, stripeId);
  for (const part of ['paypal', 'alipay', 'btcpay'] as const) {
    const url = sandboxes[part];
    if (url === undefined) continue;
    const { channel, account, register } = CHANNEL_SEEDS[part];
    const id = known[channel] ?? (await createAccount(options, channel, await account(url)));
    await register(url, `${apiUrl}/api/v1/channels/${channel}/${id}/events`);
  }
}

const ACCOUNTS = '/api/v1/admin/channel-accounts';

/** @returns the id */
async function createAccount(
  { apiUrl, adminKey }: AccountOptions,
  channel: ChannelName,
  account: Account,
): Promise<string> {
  const body = { channel, world: 'test', name: 'Platform', ...account };
  return (await expectOk(`POST ${ACCOUNTS}`, callApi<{ id: string }>(apiUrl, adminKey, ACCOUNTS, { body })))
    .id;
}

interface ListedAccount {
  readonly id: string;
  readonly channel: ChannelName;
  readonly world: string;
  readonly merchant_id: string | null;
  readonly enabled: boolean;
}

type Page = { readonly items: readonly ListedAccount[]; readonly next_cursor: string | null };

/** The ids of the platform's enabled accounts of the test world, by channel. */
async function platformAccounts({ apiUrl, adminKey }: AccountOptions) {
  const ids: Partial<Record<ChannelName, string>> = {};
  let path = `${ACCOUNTS}?limit=100`;
  for (;;) {
    const page = await expectOk(`GET ${path}`, callApi<Page>(apiUrl, adminKey, path));
    for (const { id, channel, world, merchant_id: merchantId, enabled } of page.items) {
      if (enabled && world === 'test' && merchantId === null) ids[channel] = id;
    }
    if (page.next_cursor === null) return ids;
    path = `${ACCOUNTS}?limit=100&cursor=${encodeURIComponent(page.next_cursor)}`;
  }
}

function stripeAccount({ environment }: AccountOptions): Account {
  return {
    credentials: {
      secret_key: environment['STRIPE_SECRET_KEY'] || SANDBOX_SECRET_KEY,
      webhook_secret: environment['STRIPE_WEBHOOK_SECRET'] || SANDBOX_WEBHOOK_SECRET,
    },
  };
}

/** Where the sandboxes of a stack are that it has started. @param isOwned whether the stack started this one */
export function urlsOfSandboxes(
  environment: Readonly<Record<string, string>>,
  isOwned: (part: SandboxPart) => boolean,
): SandboxUrls {
  const parts = SANDBOX_PARTS.filter(isOwned);
  return Object.fromEntries(parts.map((part) => [part, environment[SANDBOXES[part].variable] ?? '']));
}
