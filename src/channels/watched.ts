/** An adapter whose calls are watched: timed and counted, and spans of a trace where there is one. */
import { ChannelFault } from '../domain/channel';
import type { ChannelName, FaultExecution } from '../domain/channel';
import type { FullAdapter } from '../domain/channel-payment';
import { safely } from '../observability/safely';

/** The verbs that ask a channel, and what they are called in metrics and traces. */
const OPERATIONS = {
  createPreAuth: 'create_pre_auth',
  completePreAuth: 'complete_pre_auth',
  capturePreAuth: 'capture_pre_auth',
  cancelPreAuth: 'cancel_pre_auth',
  queryPreAuth: 'query_pre_auth',
  findPreAuths: 'find_pre_auths',
  createPayment: 'create_payment',
  completePayment: 'complete_payment',
  cancelPayment: 'cancel_payment',
  queryPayment: 'query_payment',
  findPayments: 'find_payments',
  createRefund: 'create_refund',
  listRefunds: 'list_refunds',
  listDisputes: 'list_disputes',
} as const satisfies Partial<Record<keyof FullAdapter, string>>;

export const WATCHED_OPERATIONS: readonly string[] = Object.values(OPERATIONS);

/** `answered`: of a read. `cut_off`: by us, because the worker stops. `error`: a mistake of ours. */
export type WatchedOutcome =
  'done' | 'pending' | 'declined' | 'answered' | FaultExecution | 'cut_off' | 'error';

export interface ChannelWatch {
  /** @returns is told how the call ended; `reason`: why it was declined. What it throws changes nothing of the call */
  begin(channel: ChannelName, operation: string): (outcome: WatchedOutcome, reason?: string) => void;
}

/** @returns the watched form of an adapter, the same one for the same adapter */
export function createWatched(watches: readonly ChannelWatch[]): (adapter: FullAdapter) => FullAdapter {
  const known = new WeakMap<FullAdapter, FullAdapter>();
  return (adapter) => {
    const given = known.get(adapter) ?? watched(adapter, watches);
    known.set(adapter, given);
    return given;
  };
}

const WATCH = "a watch of channels' calls";

type Verb = (...args: unknown[]) => Promise<unknown>;

function watched(adapter: FullAdapter, watches: readonly ChannelWatch[]): FullAdapter {
  const verbs: Record<string, Verb> = {};
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    const verb = (adapter as unknown as Record<string, Verb | undefined>)[name];
    if (verb === undefined) continue;
    verbs[name] = async (...args) => {
      const ends = watches.map((watch) => safely(WATCH, () => watch.begin(adapter.channel, operation)));
      const tell = (outcome: WatchedOutcome, reason?: string) =>
        ends.forEach((end) => safely(WATCH, () => end?.(outcome, reason)));
      try {
        const given = await verb.apply(adapter, args);
        const [outcome, reason] = outcomeOf(given);
        tell(outcome, reason);
        return given;
      } catch (error) {
        tell(isCutOff(args) ? 'cut_off' : error instanceof ChannelFault ? error.execution : 'error');
        throw error;
      }
    };
  }
  return { ...adapter, ...verbs };
}

interface Answered {
  readonly kind?: 'done' | 'pending' | 'declined';
  readonly code?: string;
}

/** Verbs that move money answer how it went, creates besides what the customer needs; of reads there is nothing to say. */
function outcomeOf(given: unknown): readonly [WatchedOutcome, reason?: string | undefined] {
  if (typeof given !== 'object' || given === null) return ['answered'];
  const { kind, code } = ('answer' in given ? given.answer : given) as Answered;
  return kind === 'declined' ? [kind, code] : [kind ?? 'answered'];
}

function isCutOff(args: readonly unknown[]): boolean {
  return args.some(
    (arg) =>
      typeof arg === 'object' &&
      arg !== null &&
      'signal' in arg &&
      arg.signal instanceof AbortSignal &&
      arg.signal.aborted,
  );
}
