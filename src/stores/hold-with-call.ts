/** A hold together with its channel calls, each read in one statement: both are as they were at the same moment. */
import type { ChannelCall } from '../domain/channel-call';
import { CALL_COLUMNS, openAndOwn, toCall } from './channel-calls';
import type { CallRow, OpenAndOwn } from './channel-calls';
import type { Queryable } from './postgres';
import { PRE_AUTH_COLUMNS } from './pre-auths';
import type { PreAuthRow } from './pre-auths';

const prefixed = (table: string, columns: string, prefix = '') =>
  columns
    .split(',')
    .map((column) => `${table}.${column.trim()} AS ${prefix}${column.trim()}`)
    .join(', ');

const COLUMNS = `${prefixed('h', PRE_AUTH_COLUMNS)}, ${prefixed('c', CALL_COLUMNS, 'call_')}`;
const CALLS_OF_HOLD = `channel_calls c ON c.merchant_id = h.merchant_id AND c.object_kind = 'pre_auth' AND c.object_no = h.pre_auth_no`;

type Joined = PreAuthRow & Record<string, unknown>;

function callIn(row: Joined): CallRow {
  const call = Object.entries(row)
    .filter(([name]) => name.startsWith('call_'))
    .map(([name, value]) => [name.slice('call_'.length), value]);
  return Object.fromEntries(call) as CallRow;
}

const READ_WITH_CALLS = `
SELECT ${COLUMNS} FROM pre_auths h LEFT JOIN ${CALLS_OF_HOLD} AND (c.state = 'open' OR c.command_id = $3)
WHERE h.merchant_id = $1 AND h.pre_auth_no = $2
ORDER BY c.created_at DESC, c.n DESC`;

/** A hold with its open call, if any, and the latest call of this command, if any (they may be the same). */
export async function readPreAuthAndCalls(
  q: Queryable,
  { merchantId, preAuthNo }: { readonly merchantId: string; readonly preAuthNo: string },
  commandId: string,
): Promise<{ row: PreAuthRow; calls: OpenAndOwn } | undefined> {
  const { rows } = await q.query<Joined>(READ_WITH_CALLS, [merchantId, preAuthNo, commandId]);
  const row = rows[0];
  if (row === undefined) return undefined;
  const calls = row['call_id'] === null ? [] : rows.map((joined) => toCall(callIn(joined)));
  return { row, calls: openAndOwn(calls, commandId) };
}

// Both rows are locked: whoever waited for the hold's lock then reads both as they are, not as they were when it asked.
const LOCK_WITH_CALL = `
SELECT ${COLUMNS} FROM pre_auths h JOIN ${CALLS_OF_HOLD}
WHERE h.merchant_id = $1 AND h.pre_auth_no = $2 AND c.id = $3
FOR NO KEY UPDATE`;

/** A hold and one of its calls, both locked until the transaction ends. */
export async function lockPreAuthAndCall(
  tx: Queryable,
  { merchantId, preAuthNo }: { readonly merchantId: string; readonly preAuthNo: string },
  callId: string,
): Promise<{ row: PreAuthRow; call: ChannelCall }> {
  const row = (await tx.query<Joined>(LOCK_WITH_CALL, [merchantId, preAuthNo, callId])).rows[0];
  if (row === undefined) throw new Error(`hold ${preAuthNo} has no channel call ${callId}`);
  return { row, call: toCall(callIn(row)) };
}
