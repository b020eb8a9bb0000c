/** PayPal's page, as small as it can be: the payer approves, tries a means that is declined, or goes back. */
import type { Parts } from './api';
import { approve, isKnown } from './rules';

export interface Page {
  readonly status: number;
  readonly html?: string;
  readonly location?: string;
}

const document = (content: string): string =>
  `<!doctype html><meta charset="utf-8"><title>PayPal sandbox</title><body style="font-family:sans-serif;margin:4em">${content}`;

/** @throws PayPalError when the order cannot be approved any more */
export function checkoutPage(
  parts: Parts,
  method: string,
  query: URLSearchParams,
  form: URLSearchParams,
): Page {
  const order = parts.state.orders.get(query.get('token') ?? '');
  if (order === undefined || !isKnown(parts, order)) {
    return { status: 404, html: document('<p>There is no such order.</p>') };
  }
  if (method !== 'POST') {
    const isOpen = order.status === 'CREATED' || order.status === 'PAYER_ACTION_REQUIRED';
    const buttons = ['approve', 'decline', 'cancel'].map(
      (name) => `<button name="do" value="${name}">${name}</button>`,
    );
    const form = isOpen ? `<form method="post">${buttons.join(' ')}</form>` : `<p>${order.status}</p>`;
    return { status: 200, html: document(`<h1>Order ${order.id}</h1>${form}`) };
  }
  const action = form.get('do');
  if (action !== 'cancel') approve(parts, order, action === 'decline');
  const back = action === 'cancel' ? order.cancelUrl : order.returnUrl;
  if (back === null) return { status: 200, html: document('<p>Done. You can close this page.</p>') };
  const location = new URL(back);
  location.searchParams.set('token', order.id);
  if (action !== 'cancel') location.searchParams.set('PayerID', 'QYR5Z8XDVJNXQ');
  return { status: 303, location: location.href };
}
