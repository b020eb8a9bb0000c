/** The customer's side of a page payment: opening it makes the trade, one button pays it. */
import type { RawReply } from '../sandbox/http';
import { tradeOfPage } from './control';
import { AlipayError } from './errors';
import { formatAmount } from './fields';
import type { SandboxParts } from './gateway';
import { open, pay } from './trades';
import type { Trade } from './types';

/** `GET /gateway.do?...` as signed for the customer; `POST /_cashier/{trade_no}/pay`, then back to the shop. */
export function showCashier(parts: SandboxParts, method: string, url: URL): RawReply {
  try {
    const tradeNo = /^\/_cashier\/(\d+)\/pay$/.exec(url.pathname)?.[1];
    if (tradeNo !== undefined && method === 'POST') return sendBack(parts, tradeNo);
    return html(200, page(open(parts, tradeOfPage(parts, url.searchParams))));
  } catch (error) {
    if (!(error instanceof AlipayError)) throw error;
    return html(400, `<p>${escape(error.subCode)}: ${escape(error.subMsg)}</p>`);
  }
}

function sendBack(parts: SandboxParts, tradeNo: string): RawReply {
  const trade = [...parts.state.trades.values()].find((candidate) => candidate.tradeNo === tradeNo);
  if (trade === undefined) return html(404, '<p>no such trade</p>');
  pay(parts, trade);
  if (trade.returnUrl === '') return html(200, '<p>paid</p>');
  return { status: 303, headers: { location: new URL(trade.returnUrl).href }, text: undefined };
}

function page(trade: Trade): string {
  const sum = `${formatAmount(trade.amount)} ${escape(trade.currency)}`;
  return [
    `<h1>Alipay sandbox</h1><p>${escape(trade.subject)}: ${sum}</p>`,
    `<form method="post" action="/_cashier/${trade.tradeNo}/pay"><button>Pay</button></form>`,
  ].join('\n');
}

function html(status: number, body: string): RawReply {
  const headers = { 'content-type': 'text/html;charset=utf-8' };
  return { status, headers, text: `<!doctype html>\n${body}\n` };
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
