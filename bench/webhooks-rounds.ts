/** The single measurements of bench `webhooks`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { note } from '../dev/terminal';
import { freePort } from '../dev/stack/ports';
import { cpuSeconds } from './webhooks-cpu';
import { preciseNowMs } from './webhooks-child';
import type { Written } from './webhooks-generator';
import { addEndpoint, until, untilRecorded } from './webhooks-site';
import type { Outbox, Site } from './webhooks-site';
import { quantile } from './stats';

/** Deliveries to one endpoint at once, of the bare sender too. */
export const IN_FLIGHT = 100;

export interface Burst {
  readonly perSecond: number;
  /** Processor seconds per 1000 notifications. */
  readonly workerCpu: number;
  readonly postgresCpu: number;
}

/** All at once, from before the first row is written until the last outcome is recorded: what can be kept up. */
export async function burst(site: Site, outbox: Outbox, endpointId: string, count: number): Promise<Burst> {
  const { receiver, generator, stack } = site;
  await receiver.ask('reset');
  const before = { worker: cpuSeconds(outbox.worker), postgres: cpuSeconds(stack.postgres) };
  const { database, merchantId } = outbox;
  const startedAtMs = await generator.ask(
    'burst',
    { database, merchantId, endpointIds: [endpointId] },
    count,
  );
  await receiver.ask('reached', count);
  await untilRecorded(outbox);
  const endedAtMs = preciseNowMs();
  const per1000 = (seconds: number) => (seconds * 1_000) / count;
  return {
    perSecond: (count * 1_000) / (endedAtMs - startedAtMs),
    workerCpu: per1000(cpuSeconds(outbox.worker) - before.worker),
    postgresCpu: per1000(cpuSeconds(stack.postgres) - before.postgres),
  };
}

/** The limit: the same number of POSTs to the same receiver, straight from memory. @returns how many in a second */
export async function bareBurst({ receiver, sender, receiverOrigin }: Site, count: number): Promise<number> {
  await receiver.ask('reset');
  const startedAtMs = await sender.ask('send', receiverOrigin, '/bare', count, IN_FLIGHT);
  const { lastAtMs } = await receiver.ask('reached', count);
  return (count * 1_000) / (lastAtMs - startedAtMs);
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** In an open loop, from the commit of a notification to its arrival. */
export async function latency(
  site: Site,
  endpointId: string,
  perSecond: number,
  seconds: number,
): Promise<Latency> {
  const { receiver, generator, outbox } = site;
  const { database, merchantId } = outbox;
  await receiver.ask('reset');
  const to = { database, merchantId, endpointIds: [endpointId] };
  const written = await generator.ask('stream', to, perSecond, seconds);
  await receiver.ask('reached', written.eventIds.length);
  const late = quantile(written.lateMs, 0.99);
  const measured = latencyOf(written, await receiver.ask('arrivals'), () => true);
  await untilRecorded(outbox);
  const { p50, p99 } = measured;
  note(
    `${perSecond.toFixed(0)}/s for ${seconds} s: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms; ` +
      `committed within ${late.toFixed(0)} ms of their time (p99)`,
  );
  return measured;
}

function latencyOf(
  written: Written,
  arrivals: ReadonlyMap<string, number>,
  counts: (endpointId: string) => boolean,
): Latency {
  const waits = written.eventIds.flatMap((id, i) => {
    const [endpointId = '', acceptedAtMs = NaN] = [written.endpointIds[i], written.acceptedAtMs[i]];
    // A poll may find it before its writer knows that it is committed.
    return counts(endpointId) ? [Math.max((arrivals.get(id) ?? NaN) - acceptedAtMs, 0)] : [];
  });
  return { p50: quantile(waits, 0.5), p99: quantile(waits, 0.99), max: quantile(waits, 1) };
}

const HANGING_PATH = '/hangs';
/** As many as the relay gives to workflows: they are in retry when the measurement begins. */
const IN_RETRY = 50;
const OUTAGE_ENDPOINTS = 100;
const OUTAGE_EACH = 30;

export interface Neighbourhood {
  /**
   * `pair`: two more are told as often; one hangs until its time is out, one refuses connections, and 50 notifications
   * of each are in retry already. `outage`: a hundred refuse connections and are told 30 times each in one go.
   */
  readonly bad: 'none' | 'pair' | 'outage';
  /** To each endpoint. */
  readonly perSecond: number;
  readonly seconds: number;
}

/** From commit to arrival at the healthy endpoints, in an open loop. */
export async function neighbours(
  site: Site,
  healthy: readonly string[],
  { bad, perSecond, seconds }: Neighbourhood,
): Promise<Latency> {
  const { receiver, generator, outbox } = site;
  const { database, merchantId } = outbox;
  const pair = bad === 'pair' ? await illPair(site) : [];
  const gone = bad === 'outage' ? await refusing(outbox, OUTAGE_ENDPOINTS) : [];
  await receiver.ask('reset');
  const endpointIds = [...healthy, ...pair];
  const streaming = generator.ask(
    'stream',
    { database, merchantId, endpointIds },
    perSecond * endpointIds.length,
    seconds,
  );
  if (gone.length > 0) {
    await sleep((seconds * 1_000) / 4);
    await generator.ask('burst', { database, merchantId, endpointIds: gone }, OUTAGE_EACH * gone.length);
  }
  const written = await streaming;
  const good = new Set(healthy);
  await receiver.ask('reached', written.endpointIds.filter((id) => good.has(id)).length);
  const measured = latencyOf(written, await receiver.ask('arrivals'), (id) => good.has(id));
  await removeEndpoints(site, [...pair, ...gone]);
  await untilRecorded(outbox);
  return measured;
}

async function refusing(outbox: Outbox, count: number): Promise<string[]> {
  const url = `http://127.0.0.1:${await freePort()}/refuses`;
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) ids.push(await addEndpoint(outbox, url));
  return ids;
}

/** @returns one that hangs and one that refuses */
async function illPair({ receiver, receiverOrigin, generator, outbox }: Site): Promise<string[]> {
  await receiver.ask('behave', HANGING_PATH, 'fail');
  const endpointIds = [
    await addEndpoint(outbox, `${receiverOrigin}${HANGING_PATH}`),
    ...(await refusing(outbox, 1)),
  ];
  const { database, merchantId, db } = outbox;
  await generator.ask('burst', { database, merchantId, endpointIds }, IN_RETRY * endpointIds.length);
  await until('the bad endpoints have notifications in retry', async () => {
    const { rows } = await db.query<{ n: number }>(
      `SELECT count(*) AS n FROM webhook_notifications WHERE endpoint_id = ANY ($1::uuid[]) AND status = 'retrying'`,
      [endpointIds],
    );
    return rows[0]?.n === IN_RETRY * endpointIds.length;
  });
  await receiver.ask('behave', HANGING_PATH, 'hang');
  return endpointIds;
}

async function removeEndpoints(
  { receiver, outbox: { db } }: Site,
  endpointIds: readonly string[],
): Promise<void> {
  if (endpointIds.length === 0) return;
  await db.query('UPDATE webhook_endpoints SET deleted_at = now() WHERE id = ANY ($1::uuid[])', [
    endpointIds,
  ]);
  await receiver.ask('behave', HANGING_PATH, 'fail');
  await until('nothing is sent to the bad endpoints', async () => {
    const { rows } = await db.query(
      'SELECT FROM webhook_leases WHERE endpoint_id = ANY ($1::uuid[]) LIMIT 1',
      [endpointIds],
    );
    return rows.length === 0;
  });
  await db.query('DELETE FROM webhook_notifications WHERE endpoint_id = ANY ($1::uuid[])', [endpointIds]);
}
