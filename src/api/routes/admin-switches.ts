/** What takes nothing new any more, and again: merchants that are suspended, accounts that are switched off. */
import { z } from 'zod';
import { fail } from '../../domain/errors';
import { switchAccount } from '../../stores/channel-accounts';
import { setMerchantStatus } from '../../stores/merchants';
import { withTransaction } from '../../stores/postgres';
import type { Database } from '../../stores/postgres';
import { defineRoute } from '../route';
import type { AdminCaller, Route } from '../route';
import type { TellRouters } from '../routing/deps';
import { merchantView, showMerchant } from './admin';
import { accountView, showAccount } from './admin-accounts';

export interface SwitchDeps {
  readonly db: Database;
  /** Accounts are part of what routing goes by. Absent where nothing is routed. */
  readonly tellRouters?: TellRouters;
}

const uuid = z.uuid();
const admin = { tag: 'Administration', auth: 'admin', method: 'put' } as const;

const askedBy = ({ caller, requestId }: { caller: AdminCaller; requestId: string }) => ({
  ...{ actor: caller.name, requestId },
});

export function adminSwitchRoutes(deps: SwitchDeps): Route[] {
  return [suspensionRoute(deps), accountSwitchRoute(deps)];
}

function suspensionRoute({ db }: SwitchDeps): Route {
  return defineRoute({
    ...admin,
    path: '/api/v1/admin/merchants/{merchant_id}/status',
    summary: 'Suspend a merchant, or lift its suspension',
    description:
      'A suspended merchant is refused new payments, holds, quotes and webhook endpoints (403 MERCHANT_SUSPENDED), within 5 ' +
      'seconds everywhere. What it has goes on: captures, releases, refunds, reads and webhooks. Its ids of the two worlds are ' +
      'suspended each by itself. Doing it again changes nothing.',
    request: {
      params: z.strictObject({ merchant_id: uuid }),
      body: z.strictObject({ status: z.enum(['active', 'suspended']) }),
    },
    responses: { 200: { description: 'The merchant', schema: merchantView } },
    errors: ['NOT_FOUND'],
    async handler({ params: { merchant_id: id }, body, ...asked }) {
      const merchant = await withTransaction(db, (tx) =>
        setMerchantStatus(tx, askedBy(asked), id, body.status),
      );
      if (merchant === undefined) throw fail('NOT_FOUND');
      return { status: 200, data: showMerchant(merchant) };
    },
  });
}

function accountSwitchRoute({ db, tellRouters }: SwitchDeps): Route {
  return defineRoute({
    ...admin,
    path: '/api/v1/admin/channel-accounts/{account_id}/switch',
    summary: 'Switch an account at a channel off, or on again',
    description:
      'An account that is off takes no new money, within 5 seconds everywhere: routing excludes it (account_switched_off), a ' +
      'request that names the channel is refused (422 CHANNEL_SWITCHED_OFF), and no other account takes its place: of a ' +
      'merchant whose own is off the platform takes nothing. What it holds is captured, released, refunded and read as ' +
      'before, and its events are taken. Doing it again changes nothing.',
    request: {
      params: z.strictObject({ account_id: uuid }),
      body: z.strictObject({ on: z.boolean() }),
    },
    responses: { 200: { description: 'The account', schema: accountView } },
    errors: ['NOT_FOUND'],
    async handler({ params: { account_id: id }, body, ...asked }) {
      const account = await withTransaction(db, (tx) => switchAccount(tx, askedBy(asked), id, body.on));
      if (account === undefined) throw fail('NOT_FOUND');
      // A repeat tells them too: whoever did it may have died before it could.
      await tellRouters?.();
      return { status: 200, data: showAccount(account) };
    },
  });
}
