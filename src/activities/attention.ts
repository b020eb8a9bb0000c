/** Calls a person to an object whose way on no program can find: an error in the log, and a count that alerts stand on. */
import type { MetricMeter } from '@temporalio/common';
import type { PoolClient } from 'pg';
import { CHANNELS } from '../domain/channel';
import type { ChannelName } from '../domain/channel';
import type { ObjectKind, ObjectRef } from '../domain/ids';
import type { Logger } from '../observability/logger';
import { safely } from '../observability/safely';
import { afterCommit } from '../stores/postgres';
import type { ActivityDeps } from './deps';

export type CallOperator = (object: ObjectRef, channel: ChannelName, reason: string) => void;

const KINDS: readonly ObjectKind[] = ['payment', 'pre_auth', 'refund'];

/** Counts `holdfast_needs_attention_total` by object_kind and channel. */
export function createOperatorCall(log: Logger, meter: MetricMeter): CallOperator {
  const description = 'Times an object began to need an operator';
  const calls = meter.createCounter('holdfast_needs_attention_total', undefined, description);
  // Every series exists from the start: an increase that begins with the first call would not be seen.
  for (const object_kind of KINDS) for (const channel of CHANNELS) calls.add(0, { object_kind, channel });
  return ({ merchantId, kind, no }, channel, reason) => {
    log.error({ merchantId, object: `${kind}/${no}`, channel, reason }, 'an object needs attention');
    safely('the count of calls for an operator', () => calls.add(1, { object_kind: kind, channel }));
  };
}

interface Marked {
  readonly channel: ChannelName;
  readonly needsAttention: string | null;
}

/** Calls an operator where the next state of an object gives a reason that the one before did not. */
export function callWhereNew(deps: ActivityDeps, object: ObjectRef, before: Marked, next: Marked): void {
  const reason = next.needsAttention;
  if (reason !== null && reason !== before.needsAttention) deps.callOperator(object, next.channel, reason);
}

/** The same for a state that this transaction writes: nobody is called to what is rolled back, and then done again. */
export function callOnceCommitted(
  deps: ActivityDeps,
  tx: PoolClient,
  object: ObjectRef,
  before: Marked,
  next: Marked,
): void {
  afterCommit(tx, () => callWhereNew(deps, object, before, next));
}
