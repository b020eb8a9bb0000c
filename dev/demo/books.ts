/** Holdfast's word against the sandbox's own books. */
import type { BookedIntent, Books } from '../stripe-sandbox/books';
import type { Hold } from '../demo-client';
import { money } from '../terminal';
import { CURRENCY } from './story';
import type { Story } from './story';

const TIMEOUT_MS = 10_000;

/** How a story ends. Amounts in cents. */
export interface Ending {
  /** Holdfast's status, and Stripe's. */
  readonly status: string;
  readonly stripeStatus: string;
  readonly captured: number;
  readonly released: number;
  /** The money calls that Stripe must have executed, each exactly once, in this order. */
  readonly executed: readonly string[];
}

export async function readBooks(stripeUrl: string, holdfastId: string): Promise<Books> {
  const response = await fetch(`${stripeUrl}/_sandbox/books?holdfast_id=${encodeURIComponent(holdfastId)}`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`the sandbox's books answered ${response.status}`);
  return (await response.json()) as Books;
}

/** Three checks: what Holdfast says, what Stripe's books say, and what Stripe has executed. */
export function checkEnding(story: Story, ending: Ending, hold: Hold, books: Books): void {
  const released = hold.amount - hold.amount_captured - hold.amount_capturable;
  story.check(
    hold.status === ending.status && hold.amount_captured === ending.captured && released === ending.released,
    'Holdfast',
    `${figures(hold.amount_captured, released, hold.amount_capturable)}, ${hold.status}`,
  );
  const [intent, ...others] = books.payment_intents;
  story.check(
    intent !== undefined && others.length === 0 && agrees(intent, ending),
    'Stripe’s books',
    intent === undefined
      ? 'nothing'
      : `${figures(intent.amount_received, intent.released, intent.amount_capturable)}, ${intent.status}`,
  );
  const executed = books.calls.filter((call) => call.executed).map((call) => call.operation);
  story.check(
    executed.join() === ending.executed.join(),
    'Stripe executed',
    `${executed.join(', ') || 'nothing'}${executed.length === new Set(executed).size ? ', each once' : ''}`,
  );
}

function agrees(intent: BookedIntent, ending: Ending): boolean {
  return (
    intent.status === ending.stripeStatus &&
    intent.amount_received === ending.captured &&
    intent.released === ending.released &&
    intent.amount_capturable === 0
  );
}

function figures(captured: number, released: number, held: number): string {
  const parts = [`captured ${money(captured, CURRENCY)}`, `released ${money(released, CURRENCY)}`];
  return [...parts, ...(held > 0 ? [`still held ${money(held, CURRENCY)}`] : [])].join(', ');
}
