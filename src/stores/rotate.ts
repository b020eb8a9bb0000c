/**
 * Re-seals what was sealed with an older key, while the system runs. Row by row of the primary key, in small batches that
 * wait for nobody: a row somebody is busy with is left for the next pass, one that changed meanwhile is not touched. A run
 * that was stopped is simply started again, because the sealed texts themselves say what is left.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from './postgres';
import { SEALED_COLUMNS } from './sealed-columns';
import type { SealedColumn } from './sealed-columns';
import { createSecretBox } from './secret-box';
import type { SecretBox } from './secret-box';

/** Rows of a page: bodies of events are up to 1 MiB each. */
const PAGE_ROWS = 100;
/** Between two batches, so that the disk is not ours alone. */
const PAUSE_MS = 5;
/** What is sealed with an old key during a pass is found by the next: several are only needed while old processes run. */
const MAX_PASSES = 5;
/** So long is waited for whoever is busy with a row. */
const PASS_PAUSE_MS = 500;
const UNREADABLE_NAMED = 5;

export interface ColumnReport {
  readonly table: string;
  readonly column: string;
  /** How many values each key had sealed when they were looked at first. */
  readonly byKey: Readonly<Record<string, number>>;
  readonly resealed: number;
  /** With an older key still: busy in every pass, changed by processes that still seal so, or the run was stopped. */
  readonly left: number;
  /** Cannot be opened: the key is missing, or the text is damaged. */
  readonly unreadable: number;
  /** Keys of some of their rows. */
  readonly unreadableRows: readonly string[];
}

export interface RotationOptions {
  /** As HOLDFAST_ENCRYPTION_KEYS: the first is what everything is sealed with in the end. */
  readonly keyRing: string;
  /** Counts and changes nothing. */
  readonly dryRun: boolean;
  readonly stopping?: AbortSignal;
  readonly onColumn?: (report: ColumnReport) => void;
}

const FIND_SEALED_COLUMNS = `
SELECT table_name || '.' || column_name AS name FROM information_schema.columns
WHERE table_schema = current_schema() AND column_name LIKE '%\\_sealed' ORDER BY 1`;

/**
 * @throws Error when the database has sealed columns this version does not know, or misses some: it would be wrong to say
 *   afterwards that the old key is not needed any more
 */
export async function rotateKeys(db: Database, options: RotationOptions): Promise<ColumnReport[]> {
  const { rows } = await db.query<{ name: string }>(FIND_SEALED_COLUMNS);
  const there = new Set(rows.map(({ name }) => name));
  const known = new Set(SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`));
  const odd = [...there, ...known].filter((name) => !there.has(name) || !known.has(name));
  if (odd.length > 0) {
    throw new Error(
      `the database and this version differ in their sealed columns (${odd.join(', ')}): use the version whose migrations it has`,
    );
  }
  const box = createSecretBox(options.keyRing);
  const reports: ColumnReport[] = [];
  for (const column of SEALED_COLUMNS) {
    if (options.stopping?.aborted === true) break;
    const report = await rotateColumn(db, box, column, options);
    options.onColumn?.(report);
    reports.push(report);
  }
  return reports;
}

async function rotateColumn(
  db: Database,
  box: SecretBox,
  column: SealedColumn,
  options: RotationOptions,
): Promise<ColumnReport> {
  const { table, column: name } = column;
  let byKey: Record<string, number> | undefined;
  let resealed = 0;
  for (let n = 1; ; n += 1) {
    // The last one only counts, so that "nothing left" has always been seen.
    const countsOnly = options.dryRun || n === MAX_PASSES;
    const pass = await onePass(db, box, column, { ...options, dryRun: countsOnly });
    byKey ??= pass.byKey;
    resealed += pass.resealed;
    const { left, unreadable } = pass;
    const isClean = left === 0 && pass.resealed === 0;
    if (countsOnly || isClean || options.stopping?.aborted === true) {
      const unreadableRows = unreadable.slice(0, UNREADABLE_NAMED);
      return { table, column: name, byKey, resealed, left, unreadable: unreadable.length, unreadableRows };
    }
    if (left > 0) await sleep(PASS_PAUSE_MS);
  }
}

interface Pass {
  readonly byKey: Record<string, number>;
  resealed: number;
  left: number;
  readonly unreadable: string[];
}

async function onePass(
  db: Database,
  box: SecretBox,
  column: SealedColumn,
  { keyRing, dryRun, stopping }: RotationOptions,
): Promise<Pass> {
  const statements = statementsOf(column);
  const current = keyRing.split(':')[0] ?? '';
  const pass: Pass = { byKey: {}, resealed: 0, left: 0, unreadable: [] };
  let after: readonly string[] | undefined;
  do {
    const { rows } = await db.query<SealedRow>(
      after === undefined ? statements.firstPage : statements.nextPage,
      [`v1.${current}.`, PAGE_ROWS, ...(after ?? [])],
    );
    for (const { key_id } of rows) {
      if (key_id !== null) pass.byKey[key_id] = (pass.byKey[key_id] ?? 0) + 1;
    }
    const old = rows.filter((row) => row.sealed !== null);
    const fresh = old.flatMap((row) => resealedRow(box, column.purpose, row, pass));
    if (fresh.length > 0 && !dryRun) pass.resealed += await store(db, statements.reseal, column, fresh);
    pass.left += fresh.length;
    after = rows.length < PAGE_ROWS ? undefined : rows.at(-1)?.keys;
    if (after !== undefined && !dryRun && old.length > 0) await sleep(PAUSE_MS);
  } while (after !== undefined && stopping?.aborted !== true);
  pass.left -= pass.resealed;
  return pass;
}

interface SealedRow {
  readonly keys: readonly string[];
  readonly key_id: string | null;
  /** null: there is nothing, or it is sealed with the current key */
  readonly sealed: string | null;
}

interface FreshRow {
  readonly keys: readonly string[];
  readonly old: string;
  readonly fresh: string;
}

function resealedRow(box: SecretBox, purpose: string, { keys, sealed }: SealedRow, pass: Pass): FreshRow[] {
  try {
    const old = sealed ?? '';
    return [{ keys, old, fresh: box.seal(box.open(old, purpose), purpose) }];
  } catch {
    pass.unreadable.push(keys.join('/'));
    return [];
  }
}

async function store(
  db: Database,
  statement: string,
  { key }: SealedColumn,
  rows: readonly FreshRow[],
): Promise<number> {
  const keys = key.map((_, i) => rows.map((row) => row.keys[i]));
  const result = await db.query(statement, [
    ...keys,
    rows.map((row) => row.old),
    rows.map((row) => row.fresh),
  ]);
  return result.rowCount ?? 0;
}

/**
 * firstPage, nextPage: in $1 = beginning of what the current key has sealed, $2 = rows, $3... = key of the last row seen;
 *   out SealedRow.
 * reseal: in $1... = one array per column of the key, then the old texts, then the fresh ones; changes those rows that
 *   nobody holds and that still have the old text.
 */
function statementsOf({ table, column, key }: SealedColumn) {
  const columns = key.map(([name]) => name).join(', ');
  const after = `WHERE (${columns}) > (${key.map(([, type], i) => `$${i + 3}::${type}`).join(', ')})`;
  const page = (where: string) => `
SELECT ARRAY[${key.map(([name]) => `${name}::text`).join(', ')}] AS keys, split_part(${column}, '.', 2) AS key_id,
  CASE WHEN NOT starts_with(${column}, $1) THEN ${column} END AS sealed
FROM ${table} ${where} ORDER BY ${columns} LIMIT $2`;
  const arrays = [...key.map(([, type]) => type), 'text', 'text'].map((type, i) => `$${i + 1}::${type}[]`);
  const same = key.map(([name]) => `t.${name} = g.${name}`).join(' AND ');
  const reseal = `
WITH given AS (SELECT * FROM unnest(${arrays.join(', ')}) AS g(${columns}, old, fresh)),
free AS (
  SELECT ${key.map(([name]) => `t.${name}`).join(', ')}, g.old, g.fresh FROM ${table} t JOIN given g ON ${same}
  WHERE t.${column} = g.old FOR NO KEY UPDATE OF t SKIP LOCKED
)
UPDATE ${table} t SET ${column} = g.fresh FROM free g WHERE ${same} AND t.${column} = g.old`;
  return { firstPage: page(''), nextPage: page(after), reseal };
}
