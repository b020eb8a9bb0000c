/** The customer's side of a page payment: opening it makes the trade, one button pays it. */
import type http from 'node:http';
import { tradeOfPage } from './control';
import { AlipayError } from './errors';
import { formatAmount } from './fields';
import type { SandboxParts } from './gateway';
import { open, pay } from './trades';
import type { Trade } from './types';

/** `GET /gateway.do?...` as signed for the customer; `POST /_cashier/{trade_no}/pay`, then back to the shop. */
export function showCashier(
  parts: SandboxParts,
  method: string,
  url: URL,
  response: http.ServerResponse,
): void {
  try {
    const tradeNo = /^\/_cashier\/(\d+)\/pay$/.exec(url.pathname)?.[1];
    if (tradeNo !== undefined && method === 'POST') return sendBack(parts, tradeNo, response);
    const trade = open(parts, tradeOfPage(parts, url.searchParams));
    html(response, 200, page(trade));
  } catch (error) {
    if (!(error instanceof AlipayError)) throw error;
    html(response, 400, `<p>${escape(error.subCode)}: ${escape(error.subMsg)}</p>`);
  }
}

function sendBack(parts: SandboxParts, tradeNo: string, response: http.ServerResponse): void {
  const trade = [...parts.state.trades.values()].find((candidate) => candidate.tradeNo === tradeNo);
  if (trade === undefined) return html(response, 404, '<p>no such trade</p>');
  pay(parts, trade);
  if (trade.returnUrl === '') return html(response, 200, '<p>paid</p>');
  response.writeHead(303, { location: new URL(trade.returnUrl).href }).end();
}

function page(trade: Trade): string {
  const sum = `${formatAmount(trade.amount)} ${escape(trade.currency)}`;
  return [
    `<h1>Alipay sandbox</h1><p>${escape(trade.subject)}: ${sum}</p>`,
    `<form method="post" action="/_cashier/${trade.tradeNo}/pay"><button>Pay</button></form>`,
  ].join('\n');
}

function html(response: http.ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/html;charset=utf-8' }).end(`<!doctype html>\n${body}\n`);
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
