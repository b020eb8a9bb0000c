/** One request to `/gateway.do`: who asks, for what, with which fault; then the signed answer, booked. */
import { setTimeout as sleep } from 'node:timers/promises';
import { cancelOperation, detailQuery, payFromAuth, unfreeze } from './auths';
import { AlipayError, invalidArguments } from './errors';
import type { AlipayFaults } from './faults';
import { isKnownOperation, readFields } from './fields';
import type { Fields } from './fields';
import type { Notifier } from './notifications';
import { authenticate, signText } from './signing';
import { newKeyPair } from './state';
import type { State } from './state';
import { close, precreate, query, refund, refundQuery } from './trades';
import type { Scene } from './trades';
import type { CallRecord, JsonObject, Params, SandboxApp } from './types';

export interface SandboxParts {
  readonly state: State;
  readonly notifier: Notifier;
  readonly faults: AlipayFaults;
}

/** What becomes of a request: an answer, no answer ever, or a connection that is reset. */
export type Outcome = { readonly status: number; readonly body: string } | 'never' | 'reset';

type Handler = (scene: Scene, fields: Fields) => JsonObject;

const READS: ReadonlySet<string> = new Set([
  'trade.query',
  'trade.fastpay.refund.query',
  'fund.auth.operation.detail.query',
]);

const HANDLERS: Readonly<Record<string, Handler>> = {
  'trade.precreate': precreate,
  'trade.query': query,
  'trade.close': close,
  'trade.refund': refund,
  'trade.fastpay.refund.query': refundQuery,
  'trade.pay': payFromAuth,
  'fund.auth.operation.detail.query': detailQuery,
  'fund.auth.order.unfreeze': unfreeze,
  'fund.auth.operation.cancel': cancelOperation,
};

function operationOf(params: Params): string {
  return (params['method'] ?? '').replace(/^alipay\./, '');
}

/** Who asks and for what, of a request for now or one signed for a customer. @throws AlipayError */
export function readRequest(parts: SandboxParts, params: Params, isForLater: boolean) {
  const app = authenticate(parts.state, params, isForLater);
  const operation = operationOf(params);
  if (!isKnownOperation(operation)) throw invalidArguments('isv.invalid-method', '不存在的方法名');
  const fields = readFields(operation, params['biz_content'] ?? '');
  return { scene: sceneOf(parts, app, params), operation, fields };
}

function sceneOf({ state, notifier }: SandboxParts, app: SandboxApp, params: Params): Scene {
  return {
    state,
    notifier,
    app,
    notifyUrl: params['notify_url'] ?? '',
    returnUrl: params['return_url'] ?? '',
  };
}

export async function answerGateway(parts: SandboxParts, params: Params): Promise<Outcome> {
  let request: ReturnType<typeof readRequest>;
  try {
    request = readRequest(parts, params, false);
  } catch (error) {
    return { status: 200, body: render(parts.state, operationOf(params), errorNode(error)) };
  }
  const { operation, fields, scene } = request;
  const call = recordOf(parts.state, scene.app, operation, fields);
  const outcome = await perform(parts, request, call);
  if (typeof outcome === 'string') call.answer = 'none';
  parts.state.save('call', call);
  return outcome;
}

async function perform(
  parts: SandboxParts,
  request: ReturnType<typeof readRequest>,
  call: CallRecord,
): Promise<Outcome> {
  const { operation, number, holdfast_id } = call;
  const rule = parts.faults.take({ operation, number, holdfast_id });
  const fault = rule?.fault;
  const say = (node: AlipayError | JsonObject, key?: string): Outcome => ({
    status: 200,
    body: render(parts.state, operation, node, key),
  });
  if (fault === 'slow') await sleep(rule?.delayMs, undefined, { ref: false });
  if (fault === 'error_before') return { status: 500, body: '' };
  if (fault === 'timeout_before') return 'never';
  if (fault === 'reset_before') return 'reset';
  if (fault === 'unknown_before')
    return say(new AlipayError('20000', 'Service Currently Unavailable', 'isp.unknow-error', '系统繁忙'));
  const node = run(request, call);
  if (fault === 'error_after') return { status: 500, body: '' };
  if (fault === 'timeout_after') return 'never';
  if (fault === 'reset_after') return 'reset';
  if (fault === 'unknown_after')
    return say(new AlipayError('40004', 'Business Failed', 'ACQ.SYSTEM_ERROR', '系统异常'));
  return say(node, fault === 'forged_answer' ? newKeyPair().privateKey : undefined);
}

/** The state machine itself: nothing waits in it, so that two requests never mix. */
function run(
  { operation, scene, fields }: ReturnType<typeof readRequest>,
  call: CallRecord,
): AlipayError | JsonObject {
  const handler = HANDLERS[operation];
  // Pages and order strings are signed requests too, but the customer's browser or app sends them.
  if (handler === undefined) return invalidArguments('isv.invalid-method', '该方法不能由服务端调用');
  try {
    const node = handler(scene, fields);
    call.executed = !READS.has(operation);
    call.answer = '10000';
    return node;
  } catch (error) {
    if (!(error instanceof AlipayError)) throw error;
    call.answer = `${error.code} ${error.subCode}`;
    return error;
  }
}

function errorNode(error: unknown): AlipayError {
  // Anything else is a mistake in the sandbox: better a loud test failure than an answer that looks like a fault.
  if (error instanceof AlipayError) return error;
  throw error;
}

function render(
  state: State,
  operation: string,
  node: AlipayError | JsonObject,
  key = state.privateKey,
): string {
  if (!(node instanceof AlipayError))
    return signed(operation, { code: '10000', msg: 'Success', ...node }, key);
  const { code, msg, subCode, subMsg } = node;
  const error = { code, msg, sub_code: subCode, sub_msg: subMsg };
  return node.isUnsigned ? JSON.stringify({ error_response: error }) : signed(operation, error, key);
}

/** The signature is over the very characters of the answer, so it is put together by hand. */
function signed(operation: string, node: JsonObject, key: string): string {
  const text = JSON.stringify(node).replaceAll('/', '\\/');
  const name = `alipay_${operation.replaceAll('.', '_')}_response`;
  return `{"${name}":${text},"sign":"${signText(text, key)}"}`;
}

function recordOf(state: State, app: SandboxApp, operation: string, fields: Fields): CallRecord {
  const authNo = fields['auth_no'];
  const auths = authNo === undefined ? [] : [...state.auths.values()];
  const auth = auths.find((candidate) => candidate.authNo === authNo);
  const number = fields['out_trade_no'] ?? fields['out_order_no'] ?? auth?.outOrderNo ?? '';
  const passback = fields['passback_params'] ?? state.trade(app.appId, number)?.passback ?? '';
  const identity = new URLSearchParams(decodeURIComponent(passback));
  return {
    operation,
    number,
    out_request_no: fields['out_request_no'] ?? '',
    holdfast_id: identity.get('holdfast_id') ?? '',
    holdfast_call: identity.get('holdfast_call') ?? '',
    executed: false,
    answer: '',
    at: Date.now(),
  };
}
