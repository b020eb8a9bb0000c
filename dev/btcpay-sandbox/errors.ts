/** Errors in Greenfield's form. */
export class GreenfieldApiError extends Error {
  constructor(
    readonly status: number,
    readonly body: unknown,
  ) {
    super(`greenfield ${status}`);
  }
}

export function apiError(status: number, code: string, message: string): GreenfieldApiError {
  return new GreenfieldApiError(status, { code, message });
}

/** 422 with one row per field. */
export function validation(
  ...rows: readonly (readonly [path: string, message: string])[]
): GreenfieldApiError {
  return new GreenfieldApiError(
    422,
    rows.map(([path, message]) => ({ path, message })),
  );
}

export function missingPermission(permission: string): GreenfieldApiError {
  return new GreenfieldApiError(403, {
    missingPermission: permission,
    code: 'missing-permission',
    message: `Insufficient API Permissions. Please use an API key with permission "${permission}". You can create an API key in your account's settings / Api Keys.`,
  });
}

export const unauthenticated = () =>
  apiError(401, 'unauthenticated', 'Authentication is required for accessing this endpoint');
export const invoiceNotFound = () => apiError(404, 'invoice-not-found', 'The invoice was not found');
export const pullPaymentNotFound = () =>
  apiError(404, 'pullpayment-not-found', 'The pull payment was not found');
