/** What is taken away of an answer that is kept for repeats, when the data of its customer are erased. */

/** Who is to be forgotten: exactly one of these says which payments and holds are meant. */
export const CUSTOMER_NAMES = ['customer_email', 'order_no', 'payment_no', 'pre_auth_no'] as const;
export type CustomerName = (typeof CUSTOMER_NAMES)[number];

/** Fields of a payment, a hold or a refund that say something of the customer, or that only the customer may have. */
const PERSONAL = ['description', 'reason', 'client_secret', 'next_action'];
const NUMBERS = ['payment_no', 'pre_auth_no', 'refund_no'];

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * @param kept `{ answer: { data } }`, as it is stored
 * @returns it without the customer's data; undefined when it is of none of these objects
 */
export function withoutCustomer(kept: unknown, numbers: ReadonlySet<string>): Fields | undefined {
  const answer = isFields(kept) ? kept['answer'] : undefined;
  const data = isFields(answer) ? answer['data'] : undefined;
  if (!isFields(kept) || !isFields(answer) || !isFields(data)) return undefined;
  if (!NUMBERS.some((name) => numbers.has(String(data[name])))) return undefined;
  const left = Object.entries(data).filter(([name]) => !PERSONAL.includes(name));
  const metadata = 'metadata' in data ? { metadata: {} } : {};
  return { ...kept, answer: { ...answer, data: { ...Object.fromEntries(left), ...metadata } } };
}
