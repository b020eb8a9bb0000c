/** Short words for what only a test may do to the Stripe sandbox, and for what its books say. */
import type { BookedIntent, Books } from '../../dev/stripe-sandbox/books';
import type { FaultKind } from '../../dev/stripe-sandbox/faults';
import type { EventsMode } from '../../dev/sandbox/deliveries';

export type { Books };

const REQUEST_TIMEOUT_MS = 20_000;

export class SandboxControl {
  constructor(readonly url: string) {}

  async post<T>(path: string, body: object = {}): Promise<T> {
    return this.request<T>('POST', path, JSON.stringify(body));
  }

  books(holdfastId?: string): Promise<Books> {
    const query = holdfastId === undefined ? '' : `?holdfast_id=${encodeURIComponent(holdfastId)}`;
    return this.request('GET', `books${query}`);
  }

  /** The one PaymentIntent of a hold. @throws Error when there is none, or more than one */
  async intentOf(holdfastId: string): Promise<BookedIntent> {
    const { payment_intents: intents } = await this.books(holdfastId);
    const [intent] = intents;
    if (intent === undefined || intents.length > 1)
      throw new Error(`${holdfastId} has ${intents.length} PaymentIntents`);
    return intent;
  }

  /** Makes the next `times` requests of this operation fail, of one hold if `holdfastId` names it. */
  fault(
    operation: string,
    fault: FaultKind,
    more: {
      times?: number;
      delayMs?: number;
      holdfastId?: string;
      paymentIntent?: string;
      probability?: number;
      seed?: number;
    } = {},
  ): Promise<unknown> {
    const { holdfastId, paymentIntent, ...rest } = more;
    const match = {
      operation,
      ...(holdfastId !== undefined && { metadata: { holdfast_id: holdfastId } }),
      ...(paymentIntent !== undefined && { payment_intent: paymentIntent }),
    };
    return this.post('faults', { match, fault, ...rest });
  }

  clearFaults(): Promise<unknown> {
    return this.request('DELETE', 'faults');
  }

  eventsMode(mode: Partial<EventsMode>): Promise<EventsMode> {
    return this.post('events-mode', mode);
  }

  config(change: object): Promise<unknown> {
    return this.post('config', change);
  }

  /** A click in the dashboard. */
  byDashboard(verb: 'cancel' | 'capture', paymentIntent: string, input: object = {}): Promise<unknown> {
    return this.post(`payment_intents/${paymentIntent}/${verb}-by-dashboard`, input);
  }

  private async request<T>(method: string, path: string, body?: string): Promise<T> {
    const response = await fetch(`${this.url}/_sandbox/${path}`, {
      method,
      ...(body !== undefined && { body }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const answer = (await response.json()) as T;
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }
}
