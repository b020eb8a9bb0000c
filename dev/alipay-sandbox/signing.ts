/** RSA2 as Alipay does it, written here from its rules and not with the SDK, so that two implementations must agree. */
import { createSign, createVerify } from 'node:crypto';
import { invalidArguments } from './errors';
import type { State } from './state';
import type { Params, SandboxApp } from './types';

/** `a=1&b=2`, sorted by name, without the signature (and, for notifications, its type) and without empty values. */
function signedText(params: Params, isNotification: boolean): string {
  return Object.keys(params)
    .filter((name) => name !== 'sign' && !(isNotification && name === 'sign_type') && params[name] !== '')
    .sort()
    .map((name) => `${name}=${params[name] ?? ''}`)
    .join('&');
}

export function signText(text: string, privateKey: string): string {
  return createSign('RSA-SHA256').update(text, 'utf8').sign(privateKey, 'base64');
}

export function signNotification(params: Params, privateKey: string): Record<string, string> {
  return { ...params, sign_type: 'RSA2', sign: signText(signedText(params, true), privateKey) };
}

const TIMESTAMP = /^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/;
/** Calls are made now; only what is signed for a customer may be used later. */
const MAX_CALL_AGE_MS = 10 * 60_000;

/** Who asks. @throws AlipayError in the gateway's words */
export function authenticate(state: State, params: Params, isForLater: boolean): SandboxApp {
  const app = state.apps.get(params['app_id'] ?? '');
  if (app === undefined) throw invalidArguments('isv.invalid-app-id', '无效的AppID参数', true);
  if (params['sign_type'] !== 'RSA2') throw invalidArguments('isv.invalid-signature-type', '无效的签名类型');
  if ((params['sign'] ?? '') === '') throw invalidArguments('isv.missing-signature', '缺少签名参数');
  const verifier = createVerify('RSA-SHA256').update(signedText(params, false), 'utf8');
  if (!verifier.verify(app.publicKey, params['sign'] ?? '', 'base64'))
    throw invalidArguments(
      'isv.invalid-signature',
      '验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配',
    );
  if (params['charset'] !== 'utf-8') throw invalidArguments('isv.invalid-charset', '字符集错误');
  if (params['version'] !== '1.0') throw invalidArguments('isv.invalid-version', '无效的版本参数');
  if (params['format'] !== undefined && params['format'] !== 'JSON')
    throw invalidArguments('isv.invalid-format', '无效的数据格式');
  const timestamp = params['timestamp'] ?? '';
  const atMs = TIMESTAMP.test(timestamp) ? fromBeijing(timestamp) : NaN;
  if (Number.isNaN(atMs) || (!isForLater && Math.abs(Date.now() - atMs) > MAX_CALL_AGE_MS))
    throw invalidArguments('isv.invalid-timestamp', '非法的时间戳参数');
  return app;
}

export function fromBeijing(text: string): number {
  return Date.parse(`${text.replace(' ', 'T')}+08:00`);
}

export function toBeijing(ms: number): string {
  return new Date(ms + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ');
}
