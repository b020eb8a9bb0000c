/** Who asks, and whether the key may: permissions imply others, as in BTCPay's own policies. */
import { missingPermission, unauthenticated } from './errors';
import type { State } from './state';

const IMPLIED: Readonly<Record<string, readonly string[]>> = {
  canmodifystoresettings: ['canmodifyinvoices', 'canmanagepullpayments', 'canmanagepayouts'],
  canmodifyinvoices: ['canviewinvoices', 'cancreateinvoice'],
  canmanagepullpayments: ['cancreatepullpayments', 'canarchivepullpayments'],
  cancreatepullpayments: ['cancreatenonapprovedpullpayments'],
  cancreatenonapprovedpullpayments: ['canviewpullpayments'],
};

const PREFIX = 'btcpay.store.';

function grants(permission: string, wanted: string): boolean {
  if (permission === wanted) return true;
  const children = IMPLIED[permission.slice(PREFIX.length)] ?? [];
  return children.some((child) => grants(`${PREFIX}${child}`, wanted));
}

/**
 * @param permission without `btcpay.store.`
 * @throws GreenfieldApiError 401 without a known key, 403 when it may not (also for another's store)
 */
export function authorize(state: State, header: string, storeId: string, permission: string): void {
  const [scheme = '', value = ''] = header.split(' ');
  const key = scheme.toLowerCase() === 'token' ? state.keys.get(value) : undefined;
  if (key === undefined) throw unauthenticated();
  const wanted = `${PREFIX}${permission}`;
  if (key.storeId !== storeId || !key.permissions.some((given) => grants(given, wanted))) {
    throw missingPermission(wanted);
  }
}
