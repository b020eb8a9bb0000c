/** What operators may ask, and what is kept of it: every request of theirs that changes something, from before it is carried out. */
import { reaches } from '../domain/admin-role';
import { fail } from '../domain/errors';
import type { HoldfastError } from '../domain/errors';
import type { Logger } from '../observability/logger';
import { appendAdminOutcome, appendAdminRequest } from '../stores/admin-audit';
import type { AdminOutcome, AdminRequest } from '../stores/admin-audit';
import type { Queryable } from '../stores/postgres';
import { loggableError, publicErrorOf } from './errors';
import { routeName } from './route';
import type { AdminCaller, RawAnswer, Route, RouteAnswer } from './route';

export interface Asked {
  readonly caller: AdminCaller;
  /** Of the address, as they came. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly requestId: string;
}

export interface Operators {
  /** undefined: the key's role reaches. Else the refusal, once it is noted. @throws what the database throws */
  refusalOf(route: Route, asked: Asked): Promise<HoldfastError> | undefined;
  /** Notes the request, carries it out and notes what came of it. @throws what the work throws; nothing is done unnoted */
  carryOut<A extends RouteAnswer | RawAnswer>(route: Route, asked: Asked, work: () => Promise<A>): Promise<A>;
}

export function createOperators({ db, log }: { readonly db: Queryable; readonly log: Logger }): Operators {
  /** What was done stays done, and the request is in the audit without its outcome. */
  async function note(auditId: number, outcome: AdminOutcome): Promise<void> {
    await appendAdminOutcome(db, auditId, outcome).catch((error: unknown) => {
      log.warn({ err: loggableError(error), auditId, ...outcome }, 'an outcome is missing in the audit');
    });
  }

  async function refused(route: Route, asked: Asked): Promise<HoldfastError> {
    const { role } = route;
    const message = `This needs an admin key with the role ${role}.`;
    const refusal = fail('FORBIDDEN', { role, has: asked.caller.role }, message);
    if (route.method !== 'get') {
      const auditId = await appendAdminRequest(db, requestOf(route, asked));
      await note(auditId, { status: publicErrorOf(refusal).status, code: refusal.code });
    }
    return refusal;
  }

  return {
    refusalOf: (route, asked) => (reaches(asked.caller.role, route.role) ? undefined : refused(route, asked)),
    async carryOut(route, asked, work) {
      if (route.method === 'get') return work();
      const auditId = await appendAdminRequest(db, requestOf(route, asked));
      try {
        const answer = await work();
        await note(auditId, { status: answer.status, code: 'SUCCESS', objectId: madeBy(answer) });
        return answer;
      } catch (error) {
        const { status, refusal } = publicErrorOf(error);
        await note(auditId, { status, code: refusal.code });
        throw error;
      }
    },
  };
}

/** The object is what the first collection of the address holds: of `merchants/{merchant_id}/api-keys/{key_id}` the merchant. */
function requestOf(route: Route, { caller, params: given, requestId }: Asked): AdminRequest {
  const parts = route.path.split('/');
  const place = parts.findIndex((part) => part.startsWith('{'));
  const collection = parts.at(place === -1 ? -1 : place - 1) ?? '';
  const params = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, plain(value)]));
  return {
    ...{ actor: caller.name, requestId, keyId: caller.keyId, role: caller.role },
    action: routeName(route),
    entity: collection.replace(/ies$/, 'y').replace(/s$/, ''),
    entityId: place === -1 ? '' : (params[parts[place]?.slice(1, -1) ?? ''] ?? ''),
    params,
  };
}

const MAX_PARAM = 150;

/** PostgreSQL stores neither NUL nor half a surrogate pair. */
function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : '';
  return text.replace(/[\p{Cc}\p{Surrogate}]/gu, '?').slice(0, MAX_PARAM);
}

const UUID = /^[0-9a-f-]{36}$/;

/** The id of what was made, where the answer has one; of a merchant that of its account. */
function madeBy(answer: RouteAnswer | RawAnswer): string | undefined {
  if (answer.status !== 201 || !('data' in answer)) return undefined;
  const { id, account_id: accountId } = answer.data as Record<string, unknown>;
  const made = id ?? accountId;
  return typeof made === 'string' && UUID.test(made) ? made : undefined;
}
