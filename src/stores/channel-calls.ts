/** Channel calls: written before the call, settled after it, at most one open per object. */
import { channelIdempotencyKey, workflowIdOf } from '../domain/ids';
import type { ObjectRef } from '../domain/ids';
import type { CallOperation, CallState, ChannelCall, HoldOperation } from '../domain/channel-call';
import { wordValues } from './admin-audit';
import type { OperatorWord } from './admin-audit';
import type { Queryable } from './postgres';

export interface CallRow {
  id: string;
  channel_account_id: string;
  operation: CallOperation;
  n: number;
  amount: number;
  currency: string;
  final: boolean;
  idempotency_key: string;
  command_id: string;
  command: { reason?: string };
  state: CallState;
  outcome: { decline_code?: string } | null;
  attempts: number;
  created_at: Date;
  last_sent_at: Date;
  stored_error: boolean;
  first_absent_at: Date | null;
  not_sent: number;
  maybe_sent: boolean;
}

export const CALL_COLUMNS = `id, channel_account_id, operation, n, amount, currency, final, idempotency_key, command_id, command, state,
  outcome, attempts, created_at, last_sent_at, stored_error, first_absent_at, not_sent, maybe_sent`;

export function toCall<Operation extends CallOperation = HoldOperation>(
  row: CallRow,
): ChannelCall<Operation> {
  return {
    id: row.id,
    channelAccountId: row.channel_account_id,
    // What an object's calls may be stands in the kind of the object: whoever reads them names it.
    operation: row.operation as Operation,
    n: row.n,
    amount: row.amount,
    currency: row.currency,
    final: row.final,
    idempotencyKey: row.idempotency_key,
    commandId: row.command_id,
    reason: row.command.reason ?? null,
    state: row.state,
    declineCode: row.outcome?.decline_code ?? null,
    attempts: row.attempts,
    createdAtMs: row.created_at.getTime(),
    lastSentAtMs: row.last_sent_at.getTime(),
    storedError: row.stored_error,
    firstAbsentAtMs: row.first_absent_at?.getTime() ?? null,
    notSent: row.not_sent,
    maybeSent: row.maybe_sent,
  };
}

export interface NewCall<Operation extends CallOperation = HoldOperation> {
  object: ObjectRef;
  channelAccountId: string;
  operation: Operation;
  amount: number;
  currency: string;
  final: boolean;
  commandId: string;
  by?: string | undefined;
  reason?: string | undefined;
  /** Of a command that an operator gave: noted in the audit together with the call. */
  word?: OperatorWord | undefined;
  /** false: somebody else sends it later, and counts that send. */
  sentNow: boolean;
}

// The key's last part is n, which is counted here; domain/ids.ts says what the whole looks like. With a version given, the
// object is locked and must still be as it was when the command was judged.
const insertInto = (table: string, number: string) => `
INSERT INTO channel_calls (id, merchant_id, object_kind, object_no, channel_account_id, operation, n, amount, currency, final,
  idempotency_key, command_id, command, attempts, last_sent_at)
SELECT gen_random_uuid(), $1::uuid, $13::text, $2::text, $3::uuid, $4::text, next.n, $5::bigint, $6::text, $7::boolean, $8::text || next.n, $9::text, $10::jsonb, $11::int, now()
FROM (
  SELECT coalesce(max(n), 0) + 1 AS n FROM channel_calls
  WHERE merchant_id = $1::uuid AND object_kind = $13::text AND object_no = $2::text AND operation = $4::text
) next
WHERE $12::int IS NULL OR EXISTS (
  SELECT 1 FROM ${table} WHERE merchant_id = $1::uuid AND ${number} = $2::text AND version = $12::int FOR NO KEY UPDATE)
ON CONFLICT DO NOTHING RETURNING ${CALL_COLUMNS}`;

const INSERT = {
  pre_auth: insertInto('pre_auths', 'pre_auth_no'),
  payment: insertInto('payments', 'payment_no'),
  refund: insertInto('refunds', 'refund_no'),
} as const;

// The call with the word it stands on, or neither.
const withWord = (insert: string) => `
WITH call AS (${insert}), noted AS (
  INSERT INTO admin_audit (via, actor, request_id, action, entity, entity_id, after)
  SELECT 'temporal', $14::text, $15::text, $16::text, $17::text, $18::text, $19::jsonb FROM call
)
SELECT * FROM call`;

/**
 * Inserts the object's next call of this operation, open and about to be sent.
 * @param version the object's version that the command was judged by, where it was judged without a lock
 * @returns undefined when another call of the object is open, or the object has moved on: look again
 */
export async function insertCall<Operation extends CallOperation = HoldOperation>(
  q: Queryable,
  call: NewCall<Operation>,
  version?: number,
): Promise<ChannelCall<Operation> | undefined> {
  const { merchantId, kind, no } = call.object;
  const { word } = call;
  const values = [
    merchantId,
    no,
    call.channelAccountId,
    call.operation,
    call.amount,
    call.currency,
    call.final,
    channelIdempotencyKey(workflowIdOf(call.object), call.operation, ''),
    call.commandId,
    {
      ...(call.by !== undefined ? { by: call.by } : {}),
      ...(call.reason !== undefined ? { reason: call.reason } : {}),
    },
    call.sentNow ? 1 : 0,
    version ?? null,
    kind,
  ];
  const result =
    word === undefined
      ? await q.query<CallRow>(INSERT[kind], values)
      : await q.query<CallRow>(withWord(INSERT[kind]), [...values, ...wordValues(word)]);
  const row = result.rows[0];
  return row === undefined ? undefined : toCall<Operation>(row);
}

const OPEN_OR_OWN = `SELECT ${CALL_COLUMNS} FROM channel_calls
WHERE merchant_id = $1 AND object_kind = $4 AND object_no = $2 AND (state = 'open' OR command_id = $3)
ORDER BY created_at DESC, n DESC`;

/** The open call of an object, if any, and the latest call of a command, if any (they may be the same). */
export interface OpenAndOwn<Operation extends CallOperation = HoldOperation> {
  readonly open: ChannelCall<Operation> | undefined;
  readonly own: ChannelCall<Operation> | undefined;
}

export async function findCalls<Operation extends CallOperation = HoldOperation>(
  q: Queryable,
  object: ObjectRef,
  commandId: string,
): Promise<OpenAndOwn<Operation>> {
  const values = [object.merchantId, object.no, commandId, object.kind];
  const result = await q.query<CallRow>(OPEN_OR_OWN, values);
  return openAndOwn(
    result.rows.map((row) => toCall<Operation>(row)),
    commandId,
  );
}

/** @param calls latest first */
export function openAndOwn<Operation extends CallOperation>(
  calls: readonly ChannelCall<Operation>[],
  commandId: string,
): OpenAndOwn<Operation> {
  return {
    open: calls.find((call) => call.state === 'open'),
    own: calls.find((call) => call.commandId === commandId),
  };
}

export async function readCall<Operation extends CallOperation = HoldOperation>(
  q: Queryable,
  callId: string,
): Promise<ChannelCall<Operation> | undefined> {
  const result = await q.query<CallRow>(`SELECT ${CALL_COLUMNS} FROM channel_calls WHERE id = $1`, [callId]);
  return result.rows[0] === undefined ? undefined : toCall<Operation>(result.rows[0]);
}

// The first send of a first create is not counted (activities/exchange.ts): one that is not noted by the time of the second
// may have arrived, whoever made it.
const TOUCH = `
UPDATE channel_calls SET attempts = attempts + 1, last_sent_at = now(),
  maybe_sent = maybe_sent OR (operation = 'create' AND n = 1 AND attempts = 0)
WHERE id = $1 AND state = 'open' RETURNING ${CALL_COLUMNS}`;

/** Notes that the key is about to be sent (again). @throws Error when the call was settled meanwhile: look again */
export async function touchCall<Operation extends CallOperation>(
  q: Queryable,
  call: ChannelCall<Operation>,
): Promise<ChannelCall<Operation>> {
  const result = await q.query<CallRow>(TOUCH, [call.id]);
  const row = result.rows[0];
  if (row === undefined) throw new Error(`call ${call.id} was settled by somebody else; look again`);
  return toCall<Operation>(row);
}

/** Notes that the outcome was asked for, so that the pick-up nudges ever more rarely. */
export async function markAsked(q: Queryable, callId: string): Promise<void> {
  await q.query('UPDATE channel_calls SET asked = asked + 1, asked_at = now() WHERE id = $1', [callId]);
}

/** The key answered a stored error: it is pointless to send it again. Counts as its last send, which ended just now. */
export async function markStoredError(q: Queryable, callId: string): Promise<void> {
  await q.query('UPDATE channel_calls SET stored_error = true, last_sent_at = now() WHERE id = $1', [callId]);
}

const NOTE_FAULT = `
UPDATE channel_calls SET attempts = attempts + $2::int, not_sent = not_sent + $3::int, maybe_sent = maybe_sent OR $4::boolean
WHERE id = $1 AND state = 'open' RETURNING ${CALL_COLUMNS}`;

/**
 * Notes what a send without an answer shows of whether it arrived.
 * @param isCounted false: it is not among the call's attempts yet. One that may have arrived stays so: its mark says more
 * @returns the call as it is now; undefined: it was settled meanwhile
 */
export async function noteFault<Operation extends CallOperation>(
  q: Queryable,
  callId: string,
  { isNotSent, isCounted }: { readonly isNotSent: boolean; readonly isCounted: boolean },
): Promise<ChannelCall<Operation> | undefined> {
  const values = [callId, isNotSent && !isCounted ? 1 : 0, isNotSent ? 1 : 0, !isNotSent];
  const row = (await q.query<CallRow>(NOTE_FAULT, values)).rows[0];
  return row === undefined ? undefined : toCall<Operation>(row);
}

/** Notes the first read that showed nothing executed. */
export async function markAbsent(q: Queryable, callId: string): Promise<void> {
  await q.query('UPDATE channel_calls SET first_absent_at = coalesce(first_absent_at, now()) WHERE id = $1', [
    callId,
  ]);
}

export interface CallEnd {
  readonly callId: string;
  readonly state: Exclude<CallState, 'open'>;
  /** Decline code and the channel's own words, or what an operator decided. */
  readonly outcome: Readonly<Record<string, unknown>>;
}

/** @returns false when the call was settled before: then nothing is written */
export async function settleCall(q: Queryable, { callId, state, outcome }: CallEnd): Promise<boolean> {
  const result = await q.query(
    `UPDATE channel_calls SET state = $2, outcome = $3, settled_at = now() WHERE id = $1 AND state = 'open'`,
    [callId, state, outcome],
  );
  return result.rowCount === 1;
}
