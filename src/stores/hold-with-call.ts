/** A hold together with one of its channel calls, read and locked in one statement. */
import type { ChannelCall } from '../domain/channel-call';
import { CALL_COLUMNS, toCall } from './channel-calls';
import type { CallRow } from './channel-calls';
import type { Queryable } from './postgres';
import { PRE_AUTH_COLUMNS } from './pre-auths';
import type { PreAuthRow } from './pre-auths';

const prefixed = (table: string, columns: string, prefix = '') =>
  columns
    .split(',')
    .map((column) => `${table}.${column.trim()} AS ${prefix}${column.trim()}`)
    .join(', ');

// Both rows are locked: whoever waited for the hold's lock then reads both as they are, not as they were when it asked.
const LOCK_WITH_CALL = `
SELECT ${prefixed('h', PRE_AUTH_COLUMNS)}, ${prefixed('c', CALL_COLUMNS, 'call_')}
FROM pre_auths h JOIN channel_calls c ON c.merchant_id = h.merchant_id AND c.object_kind = 'pre_auth' AND c.object_no = h.pre_auth_no
WHERE h.merchant_id = $1 AND h.pre_auth_no = $2 AND c.id = $3 FOR NO KEY UPDATE`;

/** A hold and one of its calls, locked until the transaction ends: for those who are about to settle the call. */
export async function lockPreAuthAndCall(
  q: Queryable,
  merchantId: string,
  preAuthNo: string,
  callId: string,
): Promise<{ row: PreAuthRow; call: ChannelCall } | undefined> {
  const result = await q.query<PreAuthRow & Record<string, unknown>>(LOCK_WITH_CALL, [
    merchantId,
    preAuthNo,
    callId,
  ]);
  const row = result.rows[0];
  if (row === undefined) return undefined;
  const call = Object.fromEntries(
    Object.entries(row)
      .filter(([name]) => name.startsWith('call_'))
      .map(([name, value]) => [name.slice('call_'.length), value]),
  );
  return { row, call: toCall(call as unknown as CallRow) };
}
