/** Why a merchant asked for a command: free text, so it goes to the activity by way of PostgreSQL and never into Temporal. */
import type { Queryable } from './postgres';

export async function keepCommandNote(
  q: Queryable,
  merchantId: string,
  commandId: string,
  reason: string,
): Promise<void> {
  await q.query(
    'INSERT INTO command_notes (command_id, merchant_id, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
    [commandId, merchantId, reason],
  );
}

export async function readCommandNote(
  q: Queryable,
  merchantId: string,
  commandId: string,
): Promise<string | undefined> {
  const result = await q.query<{ reason: string }>(
    'SELECT reason FROM command_notes WHERE command_id = $1 AND merchant_id = $2',
    [commandId, merchantId],
  );
  return result.rows[0]?.reason;
}

/** The command was refused: nothing of it is kept. */
export async function dropCommandNote(q: Queryable, commandId: string): Promise<void> {
  await q.query('DELETE FROM command_notes WHERE command_id = $1', [commandId]);
}

/** Removes notes whose command has long been carried out: its call carries the reason. */
export async function deleteOldCommandNotes(q: Queryable, limit: number): Promise<void> {
  await q.query(
    `DELETE FROM command_notes WHERE command_id IN (
       SELECT command_id FROM command_notes WHERE created_at < now() - interval '1 day' LIMIT $1)`,
    [limit],
  );
}
