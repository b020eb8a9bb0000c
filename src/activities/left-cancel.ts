/**
 * Cancels what stands at a channel that its payment or hold has left. Its row and key are committed before the cancel is
 * sent, and only a read says that it is over. To cancel one number twice is to cancel it once, so that a new key needs no
 * proof of what became of the one before: it is taken where the channel repeats an answer that did not help.
 */
import type { PoolClient } from 'pg';
import { ChannelFault } from '../domain/channel';
import type { ChannelName, Decline } from '../domain/channel';
import type { FullAdapter } from '../domain/channel-payment';
import { callName, workflowIdOf } from '../domain/ids';
import type { LeftShown } from '../domain/left-object';
import type { RefundedRef } from '../domain/refund';
import { beginLeftCancel, endLeftCancel, LEFT_CANCEL, setLeftAttention } from '../stores/left-objects';
import type { LeftPlace, LeftRow } from '../stores/left-objects';
import { appendNote } from '../stores/outbox';
import { afterCommit, withTransaction } from '../stores/postgres';
import type { RefundableRow } from '../stores/refund-reservations';
import type { ActivityDeps } from './deps';
import { exchangeOf } from './exchange';

const REFUSED = 'a channel that it has left refuses to cancel what is there';

/** The payment or hold, locked, and what it has left. */
export interface LeftScene {
  readonly object: RefundedRef;
  readonly row: Pick<RefundableRow, 'status'>;
  /** The one that it has left. */
  readonly channel: ChannelName;
  readonly news: LeftPlace & { readonly eventType: string };
}

/** A cancel whose row is committed. */
export interface LeftCancel {
  readonly scene: LeftScene;
  readonly key: string;
  readonly n: number;
  readonly currency: string;
}

/**
 * Writes the cancel of something that is alive, unless it is under way: then that is sent again. What is alive again after
 * its end was read needs a person besides.
 */
export async function beginCancel(
  deps: ActivityDeps,
  tx: PoolClient,
  scene: LeftScene,
  left: LeftRow,
  { currency, taken, held }: LeftShown,
): Promise<LeftCancel> {
  const { cancel_key: known, cancels } = left;
  if (known !== null) return { scene, key: known, n: cancels, currency };
  const { object, news } = scene;
  const { cancel_key: key, cancels: n } = await beginLeftCancel(tx, object, news);
  if (key === null) throw new Error('a cancel without a key');
  await note(tx, scene, 'channel.left_cancel', { n, taken, held });
  if (held > 0 && cancels > 0 && left.cancelled_at === null) await callOnce(deps, tx, scene, REFUSED);
  if (left.cancelled_at !== null)
    await callOnce(deps, tx, scene, `alive again at a channel that it has left, after its cancel ${cancels}`);
  return { scene, key, n, currency };
}

/** It is over: what was under way is settled by that. */
export async function noteOver(
  tx: PoolClient,
  scene: LeftScene,
  { cancel_key: key }: LeftRow,
  { taken, held }: LeftShown,
): Promise<void> {
  const isCancelled = key !== null && taken === 0;
  if (key !== null) await endLeftCancel(tx, scene.news, key, isCancelled);
  await note(tx, scene, 'channel.left_event', { taken, held, is_cancelled: isCancelled });
}

/**
 * Sends it. What the channel answers is not taken for the end: the object is read again.
 * @throws ChannelFault; the same key is sent next time, unless the channel would repeat this fault for it
 */
export async function sendCancel(
  deps: ActivityDeps,
  adapter: FullAdapter,
  object: RefundedRef,
  cancel: LeftCancel,
): Promise<void> {
  const { n, key: idempotencyKey, currency, scene } = cancel;
  const { channelNo } = scene.news;
  const identity = {
    idempotencyKey,
    holdfastId: workflowIdOf(object),
    holdfastCall: callName(LEFT_CANCEL, n),
  };
  const exchange = exchangeOf(deps.slowExchangeTimeoutMs);
  try {
    const answer =
      object.kind === 'payment'
        ? await adapter.cancelPayment({ channelPaymentNo: channelNo, currency }, identity, exchange)
        : await adapter.cancelPreAuth({ channelPreAuthNo: channelNo, currency }, identity, exchange);
    if (answer.kind === 'declined') await noteDeclined(deps, cancel, answer);
  } catch (error) {
    if (error instanceof ChannelFault && error.storedAnswer)
      await endLeftCancel(deps.db, scene.news, idempotencyKey, false);
    throw error;
  }
}

/** "Wrong state" is explained by the read that follows, unless that shows money held; every other refusal needs a person. */
async function noteDeclined(
  deps: ActivityDeps,
  { scene, key, n }: LeftCancel,
  { code, providerCode }: Decline,
): Promise<void> {
  await withTransaction(deps.db, async (tx) => {
    if (!(await endLeftCancel(tx, scene.news, key, false))) return;
    await note(tx, scene, 'channel.left_cancel_declined', {
      n,
      decline_code: code,
      provider_code: providerCode,
    });
    if (code !== 'invalid_state') await callOnce(deps, tx, scene, REFUSED);
  });
}

/** The reason stands in the row; whoever waits for the alert is called once that is committed. */
async function callOnce(
  deps: ActivityDeps,
  tx: PoolClient,
  { object, channel, news }: LeftScene,
  reason: string,
): Promise<void> {
  if (await setLeftAttention(tx, news, reason))
    afterCommit(tx, () => deps.callOperator(object, channel, reason));
}

async function note(
  tx: PoolClient,
  { object, row, channel, news }: LeftScene,
  type: string,
  data: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { merchantId, kind: objectKind, no: objectNo } = object;
  const common = { event_type: news.eventType, channel, channel_no: news.channelNo };
  const subject = { merchantId, objectKind, objectNo, status: row.status };
  await appendNote(tx, { ...subject, type, data: { ...common, ...data } });
}
