/** merchants.signing and its secrets: whether a merchant's requests must be signed, and with what. */
import { randomBytes } from 'node:crypto';
import { appendAdminAudit } from './admin-audit';
import type { AskedBy } from './admin-audit';
import type { Queryable } from './postgres';
import type { SecretBox } from './secret-box';

export const SIGNING_MODES = ['off', 'required'] as const;
export type SigningMode = (typeof SIGNING_MODES)[number];

/** The purpose under which the secrets, the current and the previous one, are sealed. */
export const SIGNING_SECRET_PURPOSE = 'merchants.signing_secret';
export const MAX_OVERLAP_HOURS = 24;

const SECRET_BYTES = 32;

/** `hfsk_` and 64 hex digits. The whole text, its prefix included, is the key of the HMAC. */
export function newSigningSecret(): string {
  return `hfsk_${randomBytes(SECRET_BYTES).toString('hex')}`;
}

export interface RequestSigning {
  readonly mode: SigningMode;
  readonly hasSecret: boolean;
  /** Until then the previous secret is good too; null when none is. */
  readonly previousUntil: Date | null;
}

interface SigningRow {
  readonly signing: SigningMode;
  readonly secret_sealed: string | null;
  readonly previous_sealed: string | null;
  readonly previous_until: Date | null;
}

const READ = `
SELECT signing, signing_secret_sealed AS secret_sealed,
  CASE WHEN previous_signing_secret_until > now() THEN previous_signing_secret_sealed END AS previous_sealed,
  CASE WHEN previous_signing_secret_until > now() THEN previous_signing_secret_until END AS previous_until
FROM merchants WHERE id = $1`;

const LOCK = `${READ} FOR NO KEY UPDATE`;

async function rowOf(q: Queryable, sql: string, merchantId: string): Promise<SigningRow | undefined> {
  return (await q.query<SigningRow>(sql, [merchantId])).rows[0];
}

const toSigning = ({ signing, secret_sealed, previous_until }: SigningRow): RequestSigning => ({
  ...{ mode: signing, hasSecret: secret_sealed !== null, previousUntil: previous_until },
});

/** @returns undefined: there is no such merchant */
export async function readSigning(q: Queryable, merchantId: string): Promise<RequestSigning | undefined> {
  const row = await rowOf(q, READ, merchantId);
  return row && toSigning(row);
}

/** The same, and nobody changes it until the transaction ends. */
export async function lockSigning(tx: Queryable, merchantId: string): Promise<RequestSigning | undefined> {
  const row = await rowOf(tx, LOCK, merchantId);
  return row && toSigning(row);
}

/** The secrets that are good now, opened, the current one first; none when the merchant has none. */
export async function loadSigningSecrets(
  q: Queryable,
  box: SecretBox,
  merchantId: string,
): Promise<string[]> {
  const row = await rowOf(q, READ, merchantId);
  const sealed = [row?.secret_sealed, row?.previous_sealed].filter((text) => typeof text === 'string');
  return sealed.map((text) => box.open(text, SIGNING_SECRET_PURPOSE));
}

const SET_MODE = 'UPDATE merchants SET signing = $2 WHERE id = $1';

/**
 * Asks for signatures from now on, or no longer. Within a transaction.
 * @returns what holds now; undefined: there is no such merchant, or it has no secret that it could be asked for
 */
export async function setSigningMode(
  tx: Queryable,
  by: AskedBy,
  merchantId: string,
  mode: SigningMode,
): Promise<RequestSigning | undefined> {
  const before = await rowOf(tx, LOCK, merchantId);
  if (before === undefined || (mode === 'required' && before.secret_sealed === null)) return undefined;
  if (before.signing !== mode) {
    await tx.query(SET_MODE, [merchantId, mode]);
    const noted = { before: { signing: before.signing }, after: { signing: mode } };
    await appendAdminAudit(tx, { ...by, action: 'merchant.signing', entityId: merchantId, ...noted });
  }
  return { ...toSigning(before), mode };
}

const CLEAR = `
UPDATE merchants SET signing = 'off', signing_secret_sealed = NULL, previous_signing_secret_sealed = NULL,
  previous_signing_secret_until = NULL
WHERE id = $1`;

/** Signing off, its secrets forgotten. Within a transaction. @returns false: there is no such merchant */
export async function clearSigning(tx: Queryable, by: AskedBy, merchantId: string): Promise<boolean> {
  const before = await rowOf(tx, LOCK, merchantId);
  if (before === undefined) return false;
  if (before.secret_sealed === null) return true;
  await tx.query(CLEAR, [merchantId]);
  const noted = { before: { signing: before.signing }, after: { signing: 'off', secret: 'forgotten' } };
  await appendAdminAudit(tx, { ...by, action: 'merchant.signing', entityId: merchantId, ...noted });
  return true;
}

// While signing is off no signature has proved who asks: a secret made then has nothing beside it.
const ROTATE = `
UPDATE merchants SET signing_secret_sealed = $2,
  previous_signing_secret_sealed = CASE WHEN signing = 'required' AND $3::int > 0 THEN signing_secret_sealed END,
  previous_signing_secret_until = CASE WHEN signing = 'required' AND $3::int > 0 THEN now() + make_interval(hours => $3::int) END
WHERE id = $1`;

/**
 * A new secret. Where signatures are asked for, the one there was stays good for `overlapHours`, and the one before it
 * ends; else it takes the place of the old one at once. Within a transaction.
 * @returns undefined: there is no such merchant
 */
export async function rotateSigningSecret(
  tx: Queryable,
  box: SecretBox,
  by: AskedBy,
  merchantId: string,
  overlapHours: number,
): Promise<{ secret: string; signing: RequestSigning } | undefined> {
  const secret = newSigningSecret();
  await tx.query(ROTATE, [merchantId, box.seal(secret, SIGNING_SECRET_PURPOSE), overlapHours]);
  const signing = await readSigning(tx, merchantId);
  if (signing === undefined) return undefined;
  const after = { previous_until: signing.previousUntil?.toISOString() ?? null };
  await appendAdminAudit(tx, { ...by, action: 'merchant.signing_secret', entityId: merchantId, after });
  return { secret, signing };
}
