/**
 * The closed list of what can go wrong for a caller, each with its sentence in both languages. The HTTP status of each
 * stands in api/errors.ts; a code never changes its meaning, and nothing reaches a caller that is not in this list.
 */
import type { Sentence } from './sentence';

export const ERROR_SENTENCES = {
  INVALID_REQUEST: {
    en: 'The request does not have the form this endpoint takes; details.issues names every field.',
    zh: '请求的格式不符合该接口的要求；details.issues 列出每个有问题的字段。',
  },
  INVALID_JSON: { en: 'The body is not valid JSON.', zh: '请求体不是有效的 JSON。' },
  UNSUPPORTED_MEDIA_TYPE: {
    en: 'Send the body as application/json.',
    zh: '请以 application/json 发送请求体。',
  },
  PAYLOAD_TOO_LARGE: {
    en: 'The body is larger than this endpoint takes.',
    zh: '请求体超过该接口允许的大小。',
  },
  HEADERS_TOO_LARGE: {
    en: 'The headers are larger or more than this server takes: 16 KiB, 100 headers.',
    zh: '请求头超过服务器允许的大小或数量：16 KiB，100 个。',
  },
  UNAUTHENTICATED: {
    en: 'No valid API key was given. Send "Authorization: Bearer hf_...".',
    zh: '没有提供有效的 API 密钥。请发送 "Authorization: Bearer hf_..."。',
  },
  FORBIDDEN: { en: 'This key may not do that.', zh: '该密钥无权执行此操作。' },
  MERCHANT_SUSPENDED: {
    en: 'This merchant is suspended: nothing new is taken. What exists goes on.',
    zh: '该商户已被暂停：不再受理新的请求。已有的业务照常进行。',
  },
  NOT_FOUND: { en: 'There is no such object.', zh: '没有这个对象。' },
  ROUTE_NOT_FOUND: { en: 'There is no such address.', zh: '没有这个地址。' },
  METHOD_NOT_ALLOWED: { en: 'This address does not take that method.', zh: '该地址不支持这种请求方法。' },
  IDEMPOTENCY_IN_PROGRESS: {
    en: 'A request with this Idempotency-Key is still being worked on; repeat it shortly.',
    zh: '使用此 Idempotency-Key 的请求仍在处理中；请稍后重试。',
  },
  IDEMPOTENCY_KEY_REUSED: {
    en: 'This Idempotency-Key was used with another body.',
    zh: '此 Idempotency-Key 已用于另一个请求体。',
  },
  PRE_AUTH_CONFLICT: {
    en: 'A hold with this pre_auth_no exists with other data.',
    zh: '已存在使用此 pre_auth_no 但内容不同的预授权。',
  },
  PRE_AUTH_NOT_CAPTURABLE: {
    en: 'The hold cannot be captured yet: the customer has not confirmed it.',
    zh: '该预授权还不能扣款：客户尚未确认。',
  },
  PRE_AUTH_BUSY: {
    en: 'Another command on this hold is under way; repeat when it is settled.',
    zh: '该预授权上另一个操作正在进行；请在其完成后重试。',
  },
  PRE_AUTH_CLOSED: { en: 'The hold is closed.', zh: '该预授权已关闭。' },
  PRE_AUTH_NOT_SUPPORTED: {
    en: 'This channel does not support pre-authorization.',
    zh: '该渠道不支持预授权。',
  },
  PAYMENT_BUSY: {
    en: 'Another command on this payment is under way; repeat when it is settled.',
    zh: '该支付上另一个操作正在进行；请在其完成后重试。',
  },
  PAYMENT_CLOSED: { en: 'The payment is closed.', zh: '该支付已关闭。' },
  PAYMENT_NOT_CANCELLABLE: {
    en: 'The payment cannot be cancelled now: the channel is at work on it.',
    zh: '该支付现在不能取消：渠道正在处理。',
  },
  PAYMENT_NOT_REFUNDABLE: {
    en: 'The payment or hold has taken no money that could be given back.',
    zh: '该支付或预授权没有收到可退的款项。',
  },
  REFUND_CONFLICT: {
    en: 'A refund with this refund_no exists with other data.',
    zh: '已存在使用此 refund_no 但内容不同的退款。',
  },
  REFUND_DISPUTED: {
    en: 'The customer disputes this money: it cannot be refunded besides.',
    zh: '客户对这笔款项提出了争议：不能另行退款。',
  },
  REFUND_EXCEEDS_PAID: {
    en: 'The refund is more than what can be given back.',
    zh: '退款金额超过可退金额。',
  },
  REFUND_NOT_SUPPORTED: { en: 'This channel cannot give money back.', zh: '该渠道不能退款。' },
  PARTIAL_REFUND_NOT_SUPPORTED: { en: 'This channel gives back all or nothing.', zh: '该渠道只能全额退款。' },
  CAPTURE_AMOUNT_EXCEEDS_HOLD: {
    en: 'The amount is more than what is left of the hold.',
    zh: '金额超过预授权的剩余金额。',
  },
  CURRENCY_MISMATCH: { en: 'The currency is not the currency of the hold.', zh: '币种与预授权的币种不同。' },
  CHANNEL_MISMATCH: { en: 'The hold is not at this channel.', zh: '该预授权不在这个渠道。' },
  CURRENCY_NOT_SUPPORTED: { en: 'This channel does not take this currency.', zh: '该渠道不支持这个币种。' },
  AMOUNT_NOT_SUPPORTED: {
    en: 'This channel cannot express or does not take this amount.',
    zh: '该渠道无法表示或不接受这个金额。',
  },
  CHANNEL_NOT_AVAILABLE: { en: 'No account is set up for this channel.', zh: '该渠道没有配置账户。' },
  CHANNEL_SWITCHED_OFF: {
    en: 'The account at this channel is switched off: it takes nothing new.',
    zh: '该渠道的账户已停用：不再受理新的请求。',
  },
  CHANNEL_ACCOUNT_EXISTS: {
    en: 'An enabled account of this channel exists already for this owner and world.',
    zh: '该所有者在这个环境中已有一个启用的该渠道账户。',
  },
  CHANNEL_DECLINED: { en: 'The channel declined.', zh: '渠道拒绝了请求。' },
  CHANNEL_NOT_REACHED: {
    en: 'This has ended before any channel had taken it; details.status says how. No money was taken or held. Make a new one.',
    zh: '在任何渠道受理之前它就已结束；details.status 说明结果。没有扣款也没有冻结资金。请新建一笔。',
  },
  ORDER_IN_PROGRESS: {
    en: 'This order has a live payment or hold; details name it.',
    zh: '该订单有正在进行的支付或预授权；details 给出其编号。',
  },
  ORDER_ALREADY_PAID: {
    en: 'This order is paid; details name the payment or hold.',
    zh: '该订单已支付；details 给出对应的支付或预授权。',
  },
  ADMIN_KEY_EXISTS: {
    en: 'An admin key that works has this name already.',
    zh: '已有一个有效的管理密钥使用此名称。',
  },
  ADMIN_KEY_LIMIT: {
    en: 'As many admin keys work as may; details.limit says how many. Revoke one first.',
    zh: '有效的管理密钥已达上限；details.limit 给出上限。请先吊销一个。',
  },
  WEBHOOK_URL_NOT_ALLOWED: {
    en: 'This notify_url may not be used; details.reason says why.',
    zh: '此 notify_url 不可使用；details.reason 说明原因。',
  },
  WEBHOOK_ENDPOINT_LIMIT: {
    en: 'This merchant has as many webhook endpoints as it may have.',
    zh: '该商户的 webhook 端点数量已达上限。',
  },
  WEBHOOK_ENDPOINT_EXISTS: {
    en: 'A webhook endpoint with this URL exists already; details.id names it.',
    zh: '已存在使用此 URL 的 webhook 端点；details.id 给出其编号。',
  },
  WEBHOOK_ENDPOINT_IMPLICIT: {
    en: 'This endpoint stands for the origin of a notify_url: it has no URL and no secret of its own, and only enabled may change.',
    zh: '该端点代表某个 notify_url 的来源：它没有自己的 URL 和密钥，只能更改 enabled。',
  },
  WEBHOOK_ENDPOINT_DISABLED: {
    en: 'This webhook endpoint is disabled; enable it first.',
    zh: '该 webhook 端点已停用；请先启用。',
  },
  WEBHOOK_ENDPOINT_DELETED: {
    en: 'The webhook endpoint of this notification is deleted.',
    zh: '该通知所属的 webhook 端点已删除。',
  },
  WEBHOOK_NOTIFICATION_DELIVERED: {
    en: 'This notification has been delivered already.',
    zh: '该通知已经送达。',
  },
  LATE_PAYMENT_REFUNDED: {
    en: 'This late money is being given back, or was; details.state says which.',
    zh: '这笔迟到款正在退回或已经退回；details.state 说明是哪一种。',
  },
  ROUTING_CHANGED: {
    en: 'Somebody has changed this meanwhile; details.version is the present one, 0 when it is as built in.',
    zh: '此配置已被他人更改；details.version 是当前版本，0 表示内置配置。',
  },
  ROUTING_LIMIT: {
    en: 'The routing configuration holds as many of these as it may; details.limit says how many.',
    zh: '路由配置中此类条目已达上限；details.limit 给出上限。',
  },
  ROUTING_FEE_EXISTS: {
    en: 'A price for exactly this channel, account, currency and country exists; details.id names it.',
    zh: '该渠道、账户、币种和国家的费率已存在；details.id 给出其编号。',
  },
  CUSTOMER_DATA_IN_USE: {
    en: 'Something of this customer is not closed yet, so the data are still needed; details.open names it. Nothing of that was erased.',
    zh: '该客户还有未结束的事项，其数据仍需使用；details.open 列出这些事项。相关数据没有删除。',
  },
  SIGNATURE_INVALID: { en: 'The signature of this event is not valid.', zh: '该事件的签名无效。' },
  REQUEST_SIGNATURE_REQUIRED: {
    en: 'This request must be signed; details.missing names the headers that are not there.',
    zh: '此请求必须签名；details.missing 列出缺少的请求头。',
  },
  REQUEST_SIGNATURE_INVALID: {
    en: 'The signature of this request is not valid; details.reason says which part.',
    zh: '此请求的签名无效；details.reason 说明哪一部分有误。',
  },
  REQUEST_TIMEOUT: { en: 'The request did not arrive in time.', zh: '请求没有及时到达。' },
  RATE_LIMIT_EXCEEDED: {
    en: 'Too many requests; details.window and details.limit say of what. Repeat after the seconds in Retry-After.',
    zh: '请求过多；details.window 和 details.limit 说明超出的是哪一项限制。请在 Retry-After 给出的秒数之后重试。',
  },
  OVERLOADED: {
    en: 'There is too much to do just now: repeat the request after the seconds in Retry-After. Nothing was done.',
    zh: '系统当前负载过高：请在 Retry-After 给出的秒数之后重试。本次请求没有执行任何操作。',
  },
  TEMPORARILY_UNAVAILABLE: {
    en: 'The service cannot answer right now. Repeat the request with the same Idempotency-Key.',
    zh: '服务暂时无法应答。请用同一个 Idempotency-Key 重试。',
  },
  INTERNAL_ERROR: {
    en: 'Something went wrong on our side; give the request_id when you ask us.',
    zh: '我们这边出了问题；联系我们时请提供 request_id。',
  },
} as const satisfies Record<string, Sentence>;
