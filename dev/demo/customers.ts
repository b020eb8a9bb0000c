/** What customers do at each channel: at its pages where it has some, at the sandbox's switches where a chain or a wallet is. */
import { askSandbox, confirmHold } from '../demo-client';
import type { Payment, Refund } from './payment-client';
import type { Stage } from './stage';

const TIMEOUT_MS = 10_000;

/** In the browser, with the client secret. */
export function payAtStripe({ stripeUrl }: Stage, payment: Payment): Promise<unknown> {
  const { channel_payment_no: number, client_secret: secret = '' } = payment;
  return confirmHold(stripeUrl, { channel_pre_auth_no: number ?? '', client_secret: secret });
}

/** The page PayPal sends its payers to, and its button. Nothing is paid by that: the merchant's side must capture. */
export async function approveAtPayPal(payment: Payment): Promise<void> {
  await press(pageOf(payment), new URLSearchParams({ do: 'approve' }));
}

/** The page that Holdfast has signed for this customer, and its button. */
export async function payAtAlipay(payment: Payment): Promise<void> {
  const page = pageOf(payment);
  const response = await fetch(page, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const html = await response.text();
  const action = /<form method="post" action="([^"]+)"/.exec(html)?.[1];
  if (action === undefined) throw new Error(`Alipay's page cannot be paid: ${html}`);
  await press(new URL(action, page).href);
}

/** A transaction in the mempool: seen, and not final. */
export function sendCoins({ btcpayUrl }: Stage, payment: Payment): Promise<unknown> {
  return askSandbox(`${btcpayUrl}/_control/invoices/${payment.channel_payment_no ?? ''}/pay`, {});
}

export function mineBlocks({ btcpayUrl }: Stage, payment: Payment): Promise<unknown> {
  return askSandbox(`${btcpayUrl}/_control/invoices/${payment.channel_payment_no ?? ''}/confirm`, {});
}

/** The customer names an address at the pull payment's page, and the shop's wallet pays it. */
export async function claimRefund({ btcpayUrl }: Stage, refund: Refund): Promise<void> {
  const pull = `${btcpayUrl}/_control/pull-payments/${refund.channel_refund_no ?? ''}`;
  await askSandbox(`${pull}/claim`, {});
  await askSandbox(`${pull}/complete`, {});
}

function pageOf({ payment_no: no, next_action: action }: Payment): string {
  if (action?.url === undefined) throw new Error(`payment ${no} sends its customer nowhere`);
  return action.url;
}

async function press(url: string, form?: URLSearchParams): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    redirect: 'manual',
    ...(form !== undefined && { body: form }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.status >= 400) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
}
