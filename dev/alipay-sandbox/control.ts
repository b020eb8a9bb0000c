/** `/_control/*` and `/_books`: what a test, the demo or the customer may do that no merchant can. JSON in, JSON out. */
import { createPublicKey } from 'node:crypto';
import { answerRoute, switchRoutes } from '../sandbox/control';
import type { Reply } from '../sandbox/http';
import { freeze, openAuth, releaseByDeadline } from './auths';
import { readBooks } from './books';
import { AlipayError, refused } from './errors';
import { readRequest } from './gateway';
import type { SandboxParts } from './gateway';
import { fromBeijing } from './signing';
import { makeNumber, newKeyPair } from './state';
import { giveBack, offer, open, pay, refundedOf } from './trades';
import type { Auth, JsonObject, SandboxApp, Trade } from './types';

interface ControlRequest {
  readonly parts: SandboxParts;
  readonly query: URLSearchParams;
  readonly input: JsonObject;
}

type Handler = (request: ControlRequest) => unknown;

const ROUTES: Readonly<Record<string, Handler>> = {
  'GET /_books': ({ parts, query }) => readBooks(parts.state, query.get('holdfast_id') ?? undefined),
  'POST /_control/reset': reset,
  'GET /_control/credentials': ({ parts, query }) => credentialsOf(parts, query.get('app_id') ?? ''),
  'POST /_control/apps': addApp,
  'GET /_control/webhook-endpoint': ({ parts }) => ({ endpoints: [...parts.state.endpoints.values()] }),
  'POST /_control/webhook-endpoint': addEndpoint,
  'POST /_control/open': (request) => open(request.parts, tradeOf(request)),
  'POST /_control/pay': (request) => pay(request.parts, tradeOf(request)),
  'POST /_control/decline': (request) => open(request.parts, tradeOf(request)),
  'POST /_control/close-by-dashboard': closeByDashboard,
  'POST /_control/refund-by-dashboard': refundByDashboard,
  'POST /_control/refund-query': refundQueryMode,
  'POST /_control/finish': finish,
  'POST /_control/open-auth': (request) => authOf(request),
  'POST /_control/freeze': (request) => freeze(request.parts, authOf(request)),
  'POST /_control/release-by-deadline': (request) => releaseByDeadline(request.parts, authOf(request)),
};

const refusal = (subCode: string, subMsg: string): Reply => ({
  status: 400,
  body: { sub_code: subCode, sub_msg: subMsg },
});

const SWITCHES = switchRoutes<ControlRequest>(
  '_control',
  ({ parts }) => ({ faults: parts.faults, deliveries: parts.notifier.deliveries }),
  (message) => refusal('wrong', message),
);

/** undefined: no such address. */
export function answerControl(method: string, path: string, request: ControlRequest): Reply | undefined {
  const handler = ROUTES[`${method} ${path}`];
  if (handler === undefined) return answerRoute(SWITCHES, method, path, request);
  try {
    return { status: 200, body: handler(request) };
  } catch (error) {
    if (!(error instanceof AlipayError)) throw error;
    return refusal(error.subCode, error.subMsg);
  }
}

function reset({ parts, input }: ControlRequest) {
  parts.faults.clear();
  parts.notifier.deliveries.clear();
  parts.state.clear(input['keep_endpoints'] === true);
  return { status: 'ok' };
}

/** The names are those of a channel account's credentials. @throws AlipayError */
export function credentialsOf({ state }: SandboxParts, appId: string) {
  const app = appId === '' ? [...state.apps.values()][0] : state.apps.get(appId);
  if (app === undefined) throw refused('no-app', `no application ${appId}`);
  const alipayPublicKey = publicKeyOf(state.privateKey);
  return {
    app_id: app.appId,
    app_private_key: app.privateKey,
    alipay_public_key: alipayPublicKey,
    seller_id: app.sellerId,
  };
}

export function createApp(input: JsonObject): SandboxApp {
  const { publicKey, privateKey } = newKeyPair();
  const text = (name: string, otherwise: string) =>
    typeof input[name] === 'string' ? input[name] : otherwise;
  return {
    appId: text('app_id', `2021${makeNumber(Date.now()).slice(-12)}`),
    sellerId: text('seller_id', `2088${makeNumber(Date.now()).slice(-12)}`),
    publicKey,
    privateKey,
    currencies: Array.isArray(input['currencies']) ? ['CNY', ...input['currencies'].map(String)] : ['CNY'],
    preAuth: input['pre_auth'] !== false,
  };
}

function addApp({ parts, input }: ControlRequest) {
  const app = createApp(input);
  parts.state.save('app', app);
  return credentialsOf(parts, app.appId);
}

function publicKeyOf(privateKey: string): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
}

/** Where the application is configured to have notifications that name no address. */
function addEndpoint({ parts, input }: ControlRequest) {
  const { url, app_id: appId } = input;
  if (typeof url !== 'string' || !URL.canParse(url)) throw refused('wrong', 'url must be an address');
  const app = credentialsOf(parts, typeof appId === 'string' ? appId : '');
  const endpoint = { url, appId: app.app_id };
  parts.state.save('endpoint', endpoint);
  return endpoint;
}

function textOf(input: JsonObject, name: string): string {
  const value = input[name];
  return typeof value === 'string' ? value : '';
}

/** By the page's `url`, the `qr_code`, or the number of a trade. @throws AlipayError */
function tradeOf({ parts, input }: ControlRequest): Trade {
  const url = textOf(input, 'url');
  if (url !== '') return tradeOfPage(parts, new URL(url).searchParams);
  const found = [...parts.state.trades.values()].find(
    (trade) =>
      (trade.qrCode !== '' && trade.qrCode === input['qr_code']) ||
      trade.outTradeNo === input['out_trade_no'],
  );
  if (found === undefined) throw refused('ACQ.TRADE_NOT_EXIST', '交易不存在');
  return found;
}

/** The customer's browser at the address that was signed for it. @throws AlipayError */
export function tradeOfPage(parts: SandboxParts, query: URLSearchParams): Trade {
  const { scene, operation, fields } = readRequest(parts, Object.fromEntries(query), true);
  if (operation !== 'trade.page.pay') throw refused('isv.invalid-method', 'this is no page');
  return offer(scene, operation, fields);
}

function authOf({ parts, input }: ControlRequest): Auth {
  const order = textOf(input, 'order_string');
  if (order === '') {
    const number = input['out_order_no'];
    const found = [...parts.state.auths.values()].find(({ outOrderNo }) => outOrderNo === number);
    if (found === undefined) throw refused('AUTH_ORDER_NOT_EXIST', '授权订单不存在');
    return found;
  }
  const params = Object.fromEntries(new URLSearchParams(order));
  const { scene, operation, fields } = readRequest(parts, params, true);
  if (operation !== 'fund.auth.order.app.freeze')
    throw refused('isv.invalid-method', 'this is no order string');
  return openAuth(scene, fields, fromBeijing(params['timestamp'] ?? ''));
}

function closeByDashboard(request: ControlRequest): Trade {
  const trade = tradeOf(request);
  if (trade.status !== 'WAIT_BUYER_PAY') throw refused('ACQ.TRADE_STATUS_ERROR', '交易状态不合法');
  trade.status = 'TRADE_CLOSED';
  request.parts.state.save('trade', trade);
  return trade;
}

/** `amount` in minor units; all that is left when absent. The number is Alipay's own, unless `out_request_no` is given. */
function refundByDashboard(request: ControlRequest): Trade {
  const trade = tradeOf(request);
  const { amount = trade.amount - refundedOf(trade) } = request.input;
  const no = textOf(request.input, 'out_request_no') || makeNumber(Date.now());
  giveBack(request.parts, trade, no, Number(amount));
  return trade;
}

/** `lags`: whether queries show nothing of the refunds that were made. */
function refundQueryMode({ parts, input }: ControlRequest) {
  parts.state.refundQueryLags = input['lags'] === true;
  return { lags: parts.state.refundQueryLags };
}

/** Too old to be refunded. */
function finish(request: ControlRequest): Trade {
  const trade = tradeOf(request);
  if (trade.status !== 'TRADE_SUCCESS') throw refused('ACQ.TRADE_STATUS_ERROR', '交易状态不合法');
  trade.status = 'TRADE_FINISHED';
  request.parts.state.save('trade', trade);
  return trade;
}
