/** What stands above the document: how every request and every answer is, and what the groups of routes are. */

export const INTRODUCTION = `
Holdfast holds or takes money at a payment channel, gives it back when asked, and tells you of every change.

Guides: [pre-authorization](/docs/guides/pre-auth.md), [webhooks](/docs/guides/webhooks.md),
[late money and disputes](/docs/guides/late-money.md), [routing](/docs/guides/routing.md), [limits](/docs/guides/tiers.md),
[signed requests](/docs/guides/signing.md).

## Authentication
Send your API key with every request: \`Authorization: Bearer hf_live_...\`, or \`hf_test_...\` for the test world, whose
objects never mix with live ones. Keep keys on your server. A merchant that asked for it also signs each request
(\`X-Holdfast-Timestamp\`, \`X-Holdfast-Nonce\`, \`X-Holdfast-Signature\`).

## Amounts, numbers, times
Amounts are integers of the currency's ISO 4217 minor unit: \`50000\` is 500.00 USD, \`500\` is 500 JPY. Numbers of your own
(\`order_no\`, \`pre_auth_no\`, \`refund_no\`) match \`[A-Za-z0-9._-]{1,64}\`. Times of payments, holds and refunds are Unix
seconds, all others ISO 8601 in UTC. Fields that a request does not know are refused; answers may get new fields.

## Answers
\`{"code": "SUCCESS", "message": "...", "data": {...}}\`. **201** or **200**: done. **202**: accepted and under way: ask the
address in \`Location\`, wait for the webhook, or repeat the request with its key. Once you have a 201 or 202 the object
exists, whatever dies afterwards.

## Errors
\`{"code": "ORDER_IN_PROGRESS", "message": "...", "details": {...}, "request_id": "..."}\`. Go by \`code\`: the list is closed
and a code never changes its meaning. \`message\` is for people, in English, or in Chinese when \`Accept-Language\` prefers
\`zh\`. \`INVALID_REQUEST\` names every field in \`details.issues\`. Give us the \`request_id\` (also \`X-Request-Id\`, which you may
set) when you ask.

| status | what to do |
|---|---|
| 400, 413, 415, 422 | the request is wrong: change it |
| 401, 403 | the key, its signature or its rights |
| 402 | the channel declined: final, the customer needs another means |
| 404 | not there, or not yours |
| 409 | not now or not any more: \`details\` has the state |
| 429, 503 | repeat after the seconds in \`Retry-After\` |
| 500 | ours: repeat with the same key |

## Repeating safely
Give every POST an \`Idempotency-Key\` (up to 255 characters, one per intention). For 24 hours a repeat with the same key and
body gets the first answer, marked \`Idempotent-Replayed: true\`; a repeat while the first is at work waits for it. Another
body is refused (422 \`IDEMPOTENCY_KEY_REUSED\`). Refusals that a repeat may not meet again are not kept.

## Limits
Your tier says how many requests a second (with a burst), a minute, an hour and at once. Every answer tells what is left:
\`X-RateLimit-*\`, \`RateLimit\`, \`RateLimit-Policy\`; \`X-RateLimit-Warning\` from 80 % of the minute or hour on. A refused
request consumes nothing. A body has at most 64 KiB.

## Lists
Newest first, \`limit\` entries (20, at most 100) and \`next_cursor\`, which is \`cursor\` of the next request; \`null\` ends the
list. A cursor is a place: entries made meanwhile neither shift nor repeat anything.

## Webhooks
Register an endpoint, keep its secret, check each signature over the raw bytes, answer 2xx at once, and handle each
\`webhook-id\` once. The events and their bodies stand at the end of this document.
`.trim();

/** In the order in which they are shown. */
export const TAGS: readonly { readonly name: string; readonly description: string }[] = [
  {
    name: 'Pre-authorization',
    description: 'Hold money on the customer’s means, capture all or a part of it, or release it.',
  },
  { name: 'Payments', description: 'Take money at once: created here, completed by the customer.' },
  { name: 'Refunds', description: 'Give money of a payment or of a captured hold back.' },
  { name: 'Routing', description: 'Which channel takes an order that names none, and why.' },
  { name: 'Webhook endpoints', description: 'Where you are told of every change, and with which secret.' },
  { name: 'Webhook notifications', description: 'What was sent to you, what became of it, and again.' },
  { name: 'Late money', description: 'Money that came after the end, too little of it or too much.' },
  { name: 'Disputes', description: 'Chargebacks as the channels tell of them; answered at the channel.' },
  { name: 'Settlement', description: 'What a day has brought: captures, refunds, fees, net.' },
  {
    name: 'Request signing',
    description: 'Whether your requests must be signed, and the secret they are signed with.',
  },
  { name: 'Channels', description: 'Where payment channels send their events. Not for merchants.' },
  {
    name: 'Administration',
    description: 'For operators, with a key of theirs: each route says what role it needs.',
  },
  { name: 'Health', description: 'Is it up, can it work, and what does it look like.' },
];
