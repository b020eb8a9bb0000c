/** Forgetting a customer: what a person may ask of the merchant, and the merchant of the operator. */
import { z } from 'zod';
import { CUSTOMER_NAMES } from '../../domain/erasure';
import type { CustomerName } from '../../domain/erasure';
import { fail } from '../../domain/errors';
import { MERCHANT_NUMBER } from '../../domain/ids';
import { eraseAnswers } from '../../stores/erasure-answers';
import { eraseCustomerOf, findCustomerObjects, findOpen } from '../../stores/erasure';
import type { CustomerObject, OpenThing } from '../../stores/erasure';
import { findMerchant } from '../../stores/merchants';
import { withTransaction } from '../../stores/postgres';
import type { Database } from '../../stores/postgres';
import type { SecretBox } from '../../stores/secret-box';
import { defineRoute } from '../route';
import type { Route } from '../route';

export interface ErasureDeps {
  readonly db: Database;
  readonly box: SecretBox;
}

/** Of one request: what more there is, the next one takes. */
const MAX_OBJECTS = 200;

const number = z.string().regex(MERCHANT_NUMBER);
const body = z
  .strictObject({
    customer_email: z
      .email()
      .max(254)
      .optional()
      .describe('As given with payments and holds; case is ignored'),
    order_no: number.optional(),
    payment_no: number.optional(),
    pre_auth_no: number.optional(),
  })
  .refine(
    (given) => CUSTOMER_NAMES.filter((name) => given[name] !== undefined).length === 1,
    'must name the customer by exactly one of customer_email, order_no, payment_no and pre_auth_no',
  );

const erasedView = z.object({
  objects: z
    .array(z.object({ kind: z.enum(['payment', 'pre_auth']), number: z.string() }))
    .describe('Payments and holds that say nothing of the customer any more'),
  refunds: z.number().int(),
  event_bodies: z.number().int().describe('Bodies of events from channels that are gone'),
  stored_answers: z.number().int().describe('Answers kept for repeats that were shortened'),
  undelivered: z
    .number()
    .int()
    .describe(
      'Notifications that keep the query of their URL until they have arrived: repeat then, by number',
    ),
  is_complete: z.boolean().describe('False: there are more; send the same again'),
});

const EXAMPLE = {
  objects: [{ kind: 'pre_auth', number: 'PA20250124001' }],
  ...{ refunds: 1, event_bodies: 6, stored_answers: 1, undelivered: 0, is_complete: true },
};

export function erasureRoutes(deps: ErasureDeps): Route[] {
  return [
    defineRoute({
      ...{ tag: 'Administration', auth: 'admin', method: 'post', idempotent: true },
      path: '/api/v1/admin/merchants/{merchant_id}/erase-customer',
      summary: "Erase a customer's personal data",
      description:
        'Takes away, for good, what is stored of the person: e-mail address, description, metadata, return address, free-text ' +
        'reasons, what channels and webhook receivers sent. Numbers, amounts, statuses and times stay for the books. Refused ' +
        'while anything of the customer is open. Repeating it erases what has come since. Channels keep their own records.',
      request: { params: z.strictObject({ merchant_id: z.uuid() }), body },
      responses: { 200: { description: 'Erased', schema: erasedView, example: EXAMPLE } },
      errors: ['NOT_FOUND', 'CUSTOMER_DATA_IN_USE'],
      handler: ({ params: { merchant_id: id }, body: given, idem }) =>
        idem.runCommand(async () => ({ status: 200, data: await erase(deps, id, customerOf(given)) })),
    }),
  ];
}

interface Customer {
  readonly name: CustomerName;
  readonly value: string;
}

function customerOf(given: Partial<Record<CustomerName, string | undefined>>): Customer {
  const name = CUSTOMER_NAMES.find((candidate) => given[candidate] !== undefined) ?? 'customer_email';
  return { name, value: given[name] ?? '' };
}

/** @throws HoldfastError NOT_FOUND; CUSTOMER_DATA_IN_USE: something is open, and what was erased so far stays so */
async function erase(
  { db, box }: ErasureDeps,
  merchantId: string,
  customer: Customer,
): Promise<z.infer<typeof erasedView>> {
  if ((await findMerchant(db, merchantId)) === undefined) throw fail('NOT_FOUND');
  const { objects, isLast } = await findCustomerObjects(db, merchantId, customer, MAX_OBJECTS);
  if (objects.length === 0 && customer.name !== 'customer_email') throw fail('NOT_FOUND');
  assertNothingOpen(await findOpen(db, merchantId, objects));
  const numbers = new Set<string>();
  const counts = { refunds: 0, event_bodies: 0, undelivered: 0 };
  for (const object of objects) {
    const result = await withTransaction(db, (tx) => eraseCustomerOf(tx, merchantId, object));
    if ('open' in result) throw inUse(result.open);
    for (const no of result.erased.numbers) numbers.add(no);
    counts.refunds += result.erased.numbers.length - 1;
    counts.event_bodies += result.erased.bodies;
    counts.undelivered += result.erased.undelivered;
  }
  const answers =
    objects.length === 0 ? 0 : await eraseAnswers(db, box, { merchantId, numbers, since: firstOf(objects) });
  return {
    objects: objects.map(({ kind, no }) => ({ kind, number: no })),
    ...{ ...counts, stored_answers: answers, is_complete: isLast },
  };
}

function firstOf(objects: readonly CustomerObject[]): Date {
  return new Date(Math.min(...objects.map(({ created_at: at }) => at.getTime())));
}

function assertNothingOpen(open: readonly OpenThing[]): void {
  if (open.length > 0) throw inUse(open);
}

function inUse(open: readonly OpenThing[]) {
  return fail('CUSTOMER_DATA_IN_USE', { open });
}
