/** What a merchant sees of routing: quotes, and the decision that is stored with each payment. */
import { callApi, expectOk } from '../demo-client';
import type { Payment } from './payment-client';
import type { Stage } from './stage';

export interface Candidate {
  readonly channel: string;
  readonly eligible: boolean;
  readonly excluded?: { readonly code: string; readonly reason: string };
  readonly scores?: { readonly geographic?: number; readonly success?: number; readonly cost?: number };
  /** Estimate, minor units. */
  readonly fee?: number;
}

export interface Decision {
  readonly channel: string;
  readonly level: string;
  readonly reason: string;
  readonly decided_by?: string;
  readonly mode: string;
  readonly candidates: readonly Candidate[];
  readonly explored?: boolean;
  readonly probe?: boolean;
}

export interface Attempt {
  readonly channel: string;
  readonly outcome: string;
  readonly code: string | null;
}

export interface RoutedPayment extends Payment {
  readonly routing: Decision;
  readonly attempts: readonly Attempt[];
}

export interface QuotedOrder {
  readonly amount: number;
  readonly currency: string;
  readonly country?: string;
  readonly mode?: string;
}

export function quote({ apiUrl, seed }: Stage, order: QuotedOrder): Promise<Decision> {
  const path = '/api/v1/routing/quote';
  return expectOk(`POST ${path}`, callApi<Decision>(apiUrl, seed.apiKey, path, { body: order }));
}

/** One order in twenty would try another channel than the best: those are asked about again. */
export async function quoteBest(stage: Stage, order: QuotedOrder): Promise<Decision> {
  let decision = await quote(stage, order);
  while (decision.explored === true) decision = await quote(stage, order);
  return decision;
}

export function readRouted({ apiUrl, seed }: Stage, paymentNo: string): Promise<RoutedPayment> {
  const path = `/api/v1/payments/${paymentNo}`;
  return expectOk(`GET ${path}`, callApi<RoutedPayment>(apiUrl, seed.apiKey, path));
}
