/** What the sandbox keeps. Amounts are minor units of a currency with two decimals, times Unix milliseconds. */
import type { JsonObject } from '../sandbox/http';

export type { JsonObject };
export type Params = Readonly<Record<string, string>>;

/** An application at the sandbox: its keys, who is paid, and what its contract allows. */
export interface SandboxApp {
  appId: string;
  sellerId: string;
  /** PEM. The private one is kept only so that the stack can be told its credentials. */
  publicKey: string;
  privateKey: string;
  currencies: string[];
  preAuth: boolean;
}

export interface Refund {
  no: string;
  amount: number;
  atMs: number;
}

export interface Trade {
  appId: string;
  outTradeNo: string;
  tradeNo: string;
  /** False: offered (a QR code), but nobody has opened it, so the trade does not exist for queries. */
  isOpen: boolean;
  status: 'WAIT_BUYER_PAY' | 'TRADE_SUCCESS' | 'TRADE_FINISHED' | 'TRADE_CLOSED';
  amount: number;
  currency: string;
  subject: string;
  expiresMs: number;
  passback: string;
  notifyUrl: string;
  returnUrl: string;
  qrCode: string;
  /** Paid from this fund authorisation. */
  authNo: string;
  paidMs: number;
  refunds: Refund[];
}

export interface Auth {
  appId: string;
  outOrderNo: string;
  outRequestNo: string;
  authNo: string;
  operationId: string;
  amount: number;
  currency: string;
  title: string;
  status: 'INIT' | 'AUTHORIZED' | 'FINISH' | 'CLOSED';
  paid: number;
  unfrozen: number;
  unfreezes: Refund[];
  confirmByMs: number;
  notifyUrl: string;
}

/** One line of the books: a request that reached the gateway, whatever came of it. */
export interface CallRecord {
  operation: string;
  /** out_trade_no or out_order_no. */
  number: string;
  out_request_no: string;
  holdfast_id: string;
  holdfast_call: string;
  /** The state machine ran and changed something. */
  executed: boolean;
  /** Alipay's code and sub_code; `none` when the caller got no answer. */
  answer: string;
  at: number;
}

export interface StoredEvent {
  id: string;
  appId: string;
  /** Empty: the addresses registered for the application. */
  url: string;
  params: Record<string, string>;
  isDelivered: boolean;
}

export interface Endpoint {
  url: string;
  appId: string;
}
