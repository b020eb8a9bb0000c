/** Answers kept for repeats: those of a customer who is forgotten lose what they say of the customer, and stay answers. */
import { withoutCustomer } from '../domain/erasure';
import { ANSWER_PURPOSE, KEPT_HOURS } from './idempotency';
import type { Queryable } from './postgres';
import type { SecretBox } from './secret-box';

const PAGE = 1_000;
/** What more there may be of a merchant that asks a great deal is deleted within a day. */
const MAX_PAGES = 50;

// Sealed, so that only opening tells whose an answer is. The newest first: of a page the oldest is where the next begins.
const ANSWERS = `
SELECT id, response_sealed, created_at FROM idempotency_records
WHERE merchant_id = $1 AND response_sealed IS NOT NULL AND created_at >= greatest($2, now() - interval '${KEPT_HOURS} hours')
  AND ($3::timestamptz IS NULL OR created_at <= $3) AND id <> ALL ($4::uuid[])
ORDER BY created_at DESC LIMIT ${PAGE}`;

interface AnswerRow {
  id: string;
  response_sealed: string;
  created_at: Date;
}

/**
 * @param numbers of the objects, and of their refunds
 * @param since when the first of them was made
 * @returns how many answers were changed
 */
export async function eraseAnswers(
  q: Queryable,
  box: SecretBox,
  { merchantId, numbers, since }: { merchantId: string; numbers: ReadonlySet<string>; since: Date },
): Promise<number> {
  let changed = 0;
  let until: Date | null = null;
  let seen: string[] = [];
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { rows }: { rows: AnswerRow[] } = await q.query<AnswerRow>(ANSWERS, [
      merchantId,
      since,
      until,
      seen,
    ]);
    for (const row of rows) changed += await eraseAnswer(q, box, numbers, row);
    if (rows.length < PAGE) return changed;
    // A Date has milliseconds: what else was made in the last one is looked at again, and what was seen is left out.
    const last: Date = rows.at(-1)?.created_at ?? since;
    until = new Date(last.getTime() + 1);
    seen = rows.filter((row) => row.created_at.getTime() >= last.getTime()).map(({ id }) => id);
  }
  return changed;
}

const REPLACE = `UPDATE idempotency_records SET response_sealed = $3 WHERE id = $1 AND response_sealed = $2`;

async function eraseAnswer(
  q: Queryable,
  box: SecretBox,
  numbers: ReadonlySet<string>,
  { id, response_sealed: sealed }: AnswerRow,
): Promise<number> {
  const left = withoutCustomer(JSON.parse(box.open(sealed, ANSWER_PURPOSE)), numbers);
  if (left === undefined) return 0;
  const resealed = box.seal(JSON.stringify(left), ANSWER_PURPOSE);
  return (await q.query(REPLACE, [id, sealed, resealed])).rowCount ?? 0;
}
