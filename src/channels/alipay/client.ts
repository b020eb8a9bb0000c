/**
 * The wire to Alipay. The official SDK signs requests and verifies answers and notifications; the exchange itself is ours,
 * because the SDK's own has one time-out for all calls, takes no abort signal, and does not say whether anything was sent.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { Agent, request } from 'undici';
import type { Exchange } from '../../domain/channel';
import type { AlipayFailure } from './errors';
import { AlipaySdk } from './sdk';

export type Json = Readonly<Record<string, unknown>>;

/** An exchange that did not bring a believable `10000`. */
export class AlipayExchangeFailure extends Error {
  override readonly name = 'AlipayExchangeFailure';
  constructor(readonly failure: AlipayFailure) {
    super('the exchange with Alipay failed');
  }
}

/** The time of one verb, shared by its calls. */
export interface Budget {
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
}

export function startBudget({ timeoutMs, signal }: Exchange): Budget {
  return { deadlineMs: Date.now() + timeoutMs, signal };
}

export interface AlipayClient {
  /**
   * One call of the gateway: never repeated here.
   * @returns the verified answer, its code being 10000 or 10003 (in process); @throws AlipayExchangeFailure
   */
  call(method: string, bizContent: Json, budget: Budget, notifyUrl?: string): Promise<Json>;
  /** A signed request for somebody else to send, as a query string. Nothing leaves. @throws AlipayExchangeFailure */
  sign(method: string, bizContent: Json, extra: Readonly<Record<string, string>>): string;
  /** True when Alipay signed this notification, by RSA2. */
  isNotification(params: Readonly<Record<string, string>>): boolean;
  readonly gateway: string;
  close(): void;
}

export interface AlipayKeys {
  readonly appId: string;
  /** PEM, or the bare base64 that Alipay's key tool prints; PKCS#8 or PKCS#1. */
  readonly appPrivateKey: string;
  /** Alipay's, not the application's: PEM or bare base64. */
  readonly alipayPublicKey: string;
}

const MAX_ANSWER_BYTES = 256 * 1024;
const CONNECT_TIMEOUT_MS = 3_000;
const ACCEPTED: ReadonlySet<string> = new Set(['10000', '10003']);
/** Of these the connection itself failed, so nothing was sent. */
const NEVER_CONNECTED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** @param apiBase e.g. `http://127.0.0.1:12113`, with or without `/gateway.do`; empty: Alipay itself */
export function createAlipayClient(keys: AlipayKeys, apiBase: string): AlipayClient {
  const gateway = gatewayOf(apiBase);
  const sdk = openSdk(keys, gateway);
  const agent = new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS } });
  const sign: AlipayClient['sign'] = (method, bizContent, extra) => {
    if (sdk === undefined)
      throw failed({ code: 'local', subCode: 'credentials_unusable', isSigned: false, sent: false });
    // The time is Alipay's, whatever the time zone of this process; names are sent as they are written here.
    const params = { ...extra, timestamp: beijingTime(Date.now() / 1000), format: 'JSON', bizContent };
    return sdk.sdkExecute(method, params, { bizContentAutoSnakeCase: false });
  };
  return {
    gateway,
    sign,
    async call(method, bizContent, budget, notifyUrl) {
      const extra = notifyUrl === undefined || notifyUrl === '' ? {} : { notify_url: notifyUrl };
      const signed = new URLSearchParams(sign(method, bizContent, extra));
      const text = await post(agent, gateway, signed, budget);
      return readAnswer(sdk, method, text);
    },
    isNotification: (params) => sdk !== undefined && params['sign_type'] === 'RSA2' && verify(sdk, params),
    close: () => void agent.destroy().catch(() => undefined),
  };
}

function gatewayOf(apiBase: string): string {
  if (apiBase === '') return 'https://openapi.alipay.com/gateway.do';
  const base = apiBase.replace(/\/+$/, '');
  return base.endsWith('/gateway.do') ? base : `${base}/gateway.do`;
}

/** undefined: credentials that can neither sign nor verify. Said at each call, not while the adapter is made. */
function openSdk({ appId, appPrivateKey, alipayPublicKey }: AlipayKeys, gateway: string) {
  try {
    const privateKey = readPrivateKey(appPrivateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
    const publicKey = readPublicKey(alipayPublicKey).export({ type: 'spki', format: 'pem' }).toString();
    return new AlipaySdk({
      appId,
      privateKey: privateKey.trim(),
      keyType: 'PKCS8',
      alipayPublicKey: publicKey.trim(),
      gateway,
      camelcase: false,
    });
  } catch {
    return undefined;
  }
}

function readPrivateKey(text: string): KeyObject {
  if (text.includes('-----BEGIN')) return createPrivateKey(text);
  const key = Buffer.from(text, 'base64');
  try {
    return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  } catch {
    return createPrivateKey({ key, format: 'der', type: 'pkcs1' });
  }
}

function readPublicKey(text: string): KeyObject {
  if (text.includes('-----BEGIN')) return createPublicKey(text);
  return createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
}

const BEIJING_OFFSET_MS = 8 * 3_600_000;

/** `yyyy-MM-dd HH:mm:ss` in Alipay's time zone. */
export function beijingTime(unixSeconds: number): string {
  return new Date(Math.floor(unixSeconds) * 1000 + BEIJING_OFFSET_MS)
    .toISOString()
    .slice(0, 19)
    .replace('T', ' ');
}

/** Common parameters in the address, as Alipay wants it (the charset must be known before the body is read). */
async function post(agent: Agent, gateway: string, signed: URLSearchParams, budget: Budget): Promise<string> {
  const body = new URLSearchParams({ biz_content: signed.get('biz_content') ?? '' }).toString();
  signed.delete('biz_content');
  const leftMs = budget.deadlineMs - Date.now();
  if (leftMs <= 0 || budget.signal?.aborted === true)
    throw failed({ network: 'ETIMEDOUT', isSigned: false, sent: false });
  const timer = AbortSignal.timeout(leftMs);
  const signal = budget.signal === undefined ? timer : AbortSignal.any([timer, budget.signal]);
  try {
    const answer = await request(`${gateway}?${signed.toString()}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded;charset=utf-8' },
      body,
      dispatcher: agent,
      signal,
    });
    const text = await readBody(answer.body);
    if (answer.statusCode !== 200) throw failed({ status: answer.statusCode, isSigned: false, sent: true });
    return text;
  } catch (error) {
    throw error instanceof AlipayExchangeFailure ? error : failed(networkFailure(error, signal));
  }
}

async function readBody(body: AsyncIterable<Buffer> & { destroy(): unknown }): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      body.destroy();
      throw failed({ network: 'answer_too_large', isSigned: false, sent: true });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function networkFailure(error: unknown, signal: AbortSignal): AlipayFailure {
  const code = (error as { code?: unknown }).code;
  if (signal.aborted) return { network: 'ETIMEDOUT', isSigned: false, sent: true };
  const network = typeof code === 'string' ? code : 'no_answer';
  return { network, isSigned: false, sent: !NEVER_CONNECTED.has(network) };
}

function readAnswer(sdk: AlipaySdk | undefined, method: string, text: string): Json {
  const answer = parseObject(text);
  const ownKey = `${method.replaceAll('.', '_')}_response`;
  const key = answer?.[ownKey] === undefined ? 'error_response' : ownKey;
  const node = answer?.[key];
  if (answer === undefined || typeof node !== 'object' || node === null)
    throw failed({ network: 'answer_unreadable', isSigned: false, sent: true });
  const isSigned = isSignedBy(sdk, text, key, answer['sign']);
  const { code, sub_code: subCode } = node as Json;
  if (isSigned && typeof code === 'string' && ACCEPTED.has(code)) return node as Json;
  throw failed({
    code: typeof code === 'string' ? code : 'none',
    ...(typeof subCode === 'string' ? { subCode } : {}),
    isSigned,
    sent: true,
  });
}

function parseObject(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

function isSignedBy(sdk: AlipaySdk | undefined, text: string, key: string, signature: unknown): boolean {
  if (sdk === undefined || typeof signature !== 'string' || signature === '') return false;
  try {
    sdk.checkResponseSign(text, key, signature, '');
    return true;
  } catch {
    // The SDK's message quotes the answer: it is not passed on.
    return false;
  }
}

function verify(sdk: AlipaySdk, params: Readonly<Record<string, string>>): boolean {
  try {
    // V2 takes the values as they are; the older method decodes them once more and fails on a `%`.
    return sdk.checkNotifySignV2(params);
  } catch {
    return false;
  }
}

function failed(failure: AlipayFailure): AlipayExchangeFailure {
  return new AlipayExchangeFailure(failure);
}
