/** Captures of holds while webhooks flow as fast as they can, against captures while none does. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createDemoMerchant, createStripeAccount, registerSandboxEvents } from '../dev/demo-client';
import type { Hold } from '../dev/demo-client';
import { SANDBOX_SECRET_KEY, SANDBOX_WEBHOOK_SECRET } from '../dev/stack/settings';
import { createHoldfastSide } from './holdfast-side';
import { runLoad } from './load';
import type { Side } from './side';
import { quantile } from './stats';
import { preciseNowMs } from './webhooks-child';
import { addEndpoint, until, untilRecorded } from './webhooks-site';
import type { Site } from './webhooks-site';

const CALLERS = 4;
/** The flood is topped up so often, and so far that the relay always has enough to do. */
const TOP_UP_MS = 100;
const BACKLOG = 4_000;
const TOP_UP = 2_000;

export interface CaptureRound {
  readonly p50: number;
  readonly p99: number;
  /** Deliveries per second meanwhile; 0 without a flood. */
  readonly delivered: number;
}

/** A merchant whose holds are captured; it has no endpoints, so that only the flood is delivered. */
export async function captureSide({ stack }: Site): Promise<Side<Hold>> {
  const apiUrl = `http://127.0.0.1:${stack.ports.api}`;
  const stripeUrl = `http://127.0.0.1:${stack.ports.sandbox}`;
  const adminKey = stack.environment['HOLDFAST_ADMIN_KEY'] ?? '';
  const { apiKey } = await createDemoMerchant(apiUrl, adminKey, 'Captures');
  const accountId = await createStripeAccount(apiUrl, adminKey, {
    name: 'Platform',
    secretKey: SANDBOX_SECRET_KEY,
    webhookSecret: SANDBOX_WEBHOOK_SECRET,
  });
  if (accountId === undefined) throw new Error('a fresh stack has a Stripe account already');
  await registerSandboxEvents(stripeUrl, apiUrl, accountId);
  return createHoldfastSide({ apiUrl, apiKey, stripeUrl });
}

export async function captureRound(
  site: Site,
  side: Side<Hold>,
  holds: number,
  flooded: boolean,
): Promise<CaptureRound> {
  const created = await runLoad(CALLERS, Array<null>(holds).fill(null), () => side.create());
  await side.prepare(created.results);
  const stopFlood = flooded ? await startFlood(site) : () => Promise.resolve(0);
  const captured = await runLoad(CALLERS, created.results, (hold) => side.capture(hold));
  const delivered = await stopFlood();
  const { eachMs } = captured;
  return { p50: quantile(eachMs, 0.5), p99: quantile(eachMs, 0.99), delivered };
}

/** @returns how to stop it, once it is at full speed; what had not been delivered yet is thrown away then */
async function startFlood(site: Site): Promise<() => Promise<number>> {
  const { outbox, receiver, receiverOrigin, generator } = site;
  const endpointId = await addEndpoint(outbox, `${receiverOrigin}/flood`);
  const { database, merchantId, db } = outbox;
  const to = { database, merchantId, endpointIds: [endpointId] };
  await receiver.ask('reset');
  let isOver = false;
  const pouring = (async () => {
    for (let written = 0; !isOver;) {
      if (written - (await receiver.ask('count')) < BACKLOG) {
        await generator.ask('burst', to, TOP_UP);
        written += TOP_UP;
      } else await sleep(TOP_UP_MS);
    }
  })();
  await until('the flood has begun', async () => (await receiver.ask('count')) >= TOP_UP);
  const began = { atMs: preciseNowMs(), count: await receiver.ask('count') };
  return async () => {
    const delivered = (await receiver.ask('count')) - began.count;
    const perSecond = (delivered * 1_000) / (preciseNowMs() - began.atMs);
    isOver = true;
    await pouring;
    await db.query('UPDATE webhook_endpoints SET deleted_at = now() WHERE id = $1', [endpointId]);
    await until('nothing of the flood is under way', async () => {
      const { rows } = await db.query('SELECT FROM webhook_leases LIMIT 1', []);
      return rows.length === 0;
    });
    await db.query(`DELETE FROM webhook_notifications WHERE endpoint_id = $1 AND status <> 'success'`, [
      endpointId,
    ]);
    await untilRecorded(outbox);
    return perSecond;
  };
}
