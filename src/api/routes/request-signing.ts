/** Whether a merchant's requests must be signed, and with what secret. docs/signing.md says how to sign. */
import { z } from 'zod';
import { fail } from '../../domain/errors';
import { withTransaction } from '../../stores/postgres';
import type { Database } from '../../stores/postgres';
import * as store from '../../stores/request-signing';
import type { RequestSigning } from '../../stores/request-signing';
import type { SecretBox } from '../../stores/secret-box';
import { defineRoute } from '../route';
import type { Route } from '../route';
import { SIGNATURE_HEADER } from '../signing/canonical';
import { hasSignature } from '../signing/check';

export interface RequestSigningDeps {
  readonly db: Database;
  readonly box: SecretBox;
}

const PATH = '/api/v1/request-signing';
const merchant = { tag: 'Request signing', auth: 'merchant' } as const;
const SIGNATURE_ERRORS = ['REQUEST_SIGNATURE_REQUIRED', 'REQUEST_SIGNATURE_INVALID'] as const;

const mode = z.enum(store.SIGNING_MODES);
const signingView = z.object({
  mode: mode.describe('required: every request that is not signed is refused'),
  has_secret: z.boolean(),
  previous_secret_until: z.iso
    .datetime()
    .nullable()
    .describe('Until then the previous secret is good too; null when none is'),
});
const rotatedView = signingView.extend({ secret: z.string().describe('Shown in this answer only') });

const EXAMPLE = { mode: 'required', has_secret: true, previous_secret_until: null };
const ROTATED_EXAMPLE = {
  ...EXAMPLE,
  previous_secret_until: '2026-03-02T09:30:00.000Z',
  secret: `hfsk_${'5f0c'.repeat(16)}`,
};

function showSigning({ mode: present, hasSecret, previousUntil }: RequestSigning) {
  return {
    ...{ mode: present, has_secret: hasSecret },
    previous_secret_until: previousUntil?.toISOString() ?? null,
  };
}

const byMerchant = (requestId: string) => ({ actor: 'merchant', requestId });
const unsigned = () => fail('REQUEST_SIGNATURE_REQUIRED', { missing: [SIGNATURE_HEADER] });

export function requestSigningRoutes(deps: RequestSigningDeps): Route[] {
  return [...modeRoutes(deps), rotateRoute(deps), clearRoute(deps)];
}

function modeRoutes({ db }: RequestSigningDeps): Route[] {
  const responses = { 200: { description: 'How it stands', schema: signingView, example: EXAMPLE } };
  const read = defineRoute({
    ...merchant,
    method: 'get',
    path: PATH,
    summary: 'Read whether requests must be signed',
    request: {},
    responses,
    errors: [],
    async handler({ caller }) {
      return { status: 200, data: showSigning(found(await store.readSigning(db, caller.merchantId))) };
    },
  });
  const change = defineRoute({
    ...merchant,
    method: 'put',
    path: PATH,
    summary: 'Ask for signatures, or no longer',
    description:
      'This request must itself be signed, either way: nobody locks himself out, and nobody who has only an API key ends ' +
      'it. In effect everywhere within 5 seconds. Whoever has lost the secret asks the operator.',
    request: { body: z.strictObject({ mode }) },
    responses,
    errors: SIGNATURE_ERRORS,
    async handler({ caller: { merchantId }, body, headers, requestId }) {
      // A signature that is there was checked before.
      if (!hasSignature(headers)) throw unsigned();
      const signing = await withTransaction(db, (tx) =>
        store.setSigningMode(tx, byMerchant(requestId), merchantId, body.mode),
      );
      if (signing === undefined) throw fail('REQUEST_SIGNATURE_INVALID', { reason: 'no_secret' });
      return { status: 200, data: showSigning(signing) };
    },
  });
  return [read, change];
}

function rotateRoute({ db, box }: RequestSigningDeps): Route {
  return defineRoute({
    ...merchant,
    method: 'post',
    path: `${PATH}/rotate`,
    summary: 'Make a signing secret, or replace it',
    description:
      'The new secret is shown in this answer only. Where signatures are asked for, the previous secret stays good for ' +
      'overlap_hours (24 unless given; 0 ends it at once), and the request must be signed. Where they are not, the new ' +
      'secret takes the place of the old one at once.',
    idempotent: true,
    request: {
      body: z.strictObject({ overlap_hours: z.int().min(0).max(store.MAX_OVERLAP_HOURS).optional() }),
    },
    responses: {
      200: { description: 'The new secret', schema: rotatedView, example: ROTATED_EXAMPLE },
    },
    errors: SIGNATURE_ERRORS,
    handler: ({ caller: { merchantId }, body, headers, requestId, idem }) =>
      idem.runWithin(db, async (tx) => {
        // What is known of the API key may be some seconds older than the wish for signatures, or that wish under way.
        const present = found(await store.lockSigning(tx, merchantId));
        if (present.mode === 'required' && !hasSignature(headers)) throw unsigned();
        const hours = body.overlap_hours ?? store.MAX_OVERLAP_HOURS;
        const by = byMerchant(requestId);
        const rotated = found(await store.rotateSigningSecret(tx, box, by, merchantId, hours));
        return { status: 200, data: { ...showSigning(rotated.signing), secret: rotated.secret } };
      }),
  });
}

function clearRoute({ db }: RequestSigningDeps): Route {
  return defineRoute({
    method: 'delete',
    path: '/api/v1/admin/merchants/{merchant_id}/request-signing',
    tag: 'Administration',
    auth: 'admin',
    summary: 'Switch request signing off for a merchant',
    description:
      'For a merchant that has lost its secret: none is asked for any more, within 5 seconds everywhere, and its secrets ' +
      'are forgotten. Doing it again changes nothing.',
    request: { params: z.strictObject({ merchant_id: z.uuid() }) },
    responses: {
      200: {
        description: 'Off',
        schema: signingView,
        example: { mode: 'off', has_secret: false, previous_secret_until: null },
      },
    },
    errors: ['NOT_FOUND'],
    async handler({ params: { merchant_id: merchantId }, caller, requestId }) {
      const by = { actor: caller.name, requestId };
      if (!(await withTransaction(db, (tx) => store.clearSigning(tx, by, merchantId))))
        throw fail('NOT_FOUND');
      return { status: 200, data: showSigning({ mode: 'off', hasSecret: false, previousUntil: null }) };
    },
  });
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw fail('NOT_FOUND');
  return value;
}
