/** Holdfast as its merchants use it: HTTP, API key, Idempotency-Key, the channel's events included. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { captureHold, confirmHold, createHold, waitForHold } from '../dev/demo-client';
import type { Hold } from '../dev/demo-client';
import { runLoad } from './load';
import type { Side } from './side';

const AMOUNT = 50_000;
const CAPTURED = 32_000;
const CONFIRMATIONS_AT_ONCE = 4;
/** Events of the confirmation are still under way when the hold has its status already. */
const QUIET_AFTER_MS = 750;

export interface HoldfastSideOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly stripeUrl: string;
}

export function createHoldfastSide({ apiUrl, apiKey, stripeUrl }: HoldfastSideOptions): Side<Hold> {
  async function confirm(hold: Hold): Promise<void> {
    await confirmHold(stripeUrl, hold);
    await waitForHold(apiUrl, apiKey, hold.pre_auth_no, ['requires_capture']);
  }
  return {
    async create() {
      const hold = await createHold(apiUrl, apiKey, {
        order_no: randomUUID(),
        amount: AMOUNT,
        currency: 'USD',
        channel: 'stripe',
      });
      if (hold.client_secret === undefined) throw new Error(`hold ${hold.pre_auth_no} was only accepted`);
      return hold;
    },
    async prepare(holds) {
      await runLoad(CONFIRMATIONS_AT_ONCE, holds, confirm);
      await sleep(QUIET_AFTER_MS);
    },
    async capture(hold) {
      const { status } = await captureHold(apiUrl, apiKey, hold, CAPTURED);
      if (status !== 'succeeded') throw new Error(`hold ${hold.pre_auth_no} was captured to ${status}`);
    },
  };
}
