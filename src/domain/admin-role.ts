/** What an operator's key may do. */

/** Each may do what those before it may. */
export const ADMIN_ROLES = ['viewer', 'operator', 'admin'] as const;
/**
 * viewer: reads. operator: sees to what got stuck (unblock, resolve, money, retries). admin: keys, merchants, accounts, tiers,
 * routing.
 */
export type AdminRole = (typeof ADMIN_ROLES)[number];

/** The key of the environment: it cannot be revoked over the API, so that nobody locks everybody out. */
export const ROOT_NAME = 'root';

/** Whether a key with the role `has` may do what wants the role `wanted`. */
export function reaches(has: AdminRole, wanted: AdminRole): boolean {
  return ADMIN_ROLES.indexOf(has) >= ADMIN_ROLES.indexOf(wanted);
}
