/**
 * A merchant that does not give up: what gets no answer, a fault or "accepted" is repeated with the same
 * Idempotency-Key until the answer is definite, and every answer is remembered.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { holdOf, MerchantClient } from '../e2e/merchant-client';
import type { CancelReply, CaptureReply, Reply } from '../e2e/merchant-client';
import type { Hold, NewHold } from '../../dev/demo-client';
import type { Told } from './check-books';
import type { Victims } from './victims';

const PAUSE_MS = 250;
const GIVE_UP_MS = 90_000;
const CUSTOMER_TRIES = 40;

/** Repeated: nothing was decided yet. */
function isDefinite({ status, code }: Reply<unknown>): boolean {
  return status !== 202 && status < 500 && code !== 'IDEMPOTENCY_IN_PROGRESS' && code !== 'PRE_AUTH_BUSY';
}

export class InsistentMerchant {
  readonly client: MerchantClient;
  /** Numbers that were answered 201 or 202 at least once. */
  readonly accepted = new Set<string>();
  readonly confirmed = new Set<string>();
  readonly told: Told[] = [];
  /** How often something had to be repeated: proof that the kill was felt. */
  repeats = 0;

  constructor(private readonly victims: Victims) {
    this.client = new MerchantClient(victims.apiUrl, victims.merchant.apiKey);
  }

  /** A new hold of 500.00 USD whose events are told. */
  hold(fields: Partial<NewHold> = {}): NewHold {
    return holdOf({ notify_url: this.victims.notifyUrl, ...fields });
  }

  async create(hold: NewHold): Promise<Hold> {
    const no = String(hold['pre_auth_no']);
    const key = randomUUID();
    const reply = await this.insist(`create ${no}`, async () => {
      const answer = await this.client.create(hold, key);
      if (answer.status === 201 || answer.status === 202) this.accepted.add(no);
      return answer;
    });
    if (reply.status !== 201) throw new Error(`create ${no}: ${reply.status} ${reply.code} ${reply.message}`);
    return reply.data;
  }

  /** The customer pays; what the browser could not send is tried again. */
  async confirm(hold: Hold): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.client.confirm(this.victims.sandbox.url, hold);
        break;
      } catch (error) {
        if (tries === CUSTOMER_TRIES) throw error;
        await sleep(PAUSE_MS);
      }
    }
    this.confirmed.add(hold.pre_auth_no);
  }

  async createHeld(fields: Partial<NewHold> = {}): Promise<Hold> {
    const hold = await this.create(this.hold(fields));
    await this.confirm(hold);
    return this.client.waitFor(hold.pre_auth_no, 'requires_capture');
  }

  async capture(no: string, fields: object, key: string = randomUUID()): Promise<Reply<CaptureReply>> {
    const reply = await this.insist(`capture ${no}`, () => this.client.capture(no, fields, key));
    this.remember(no, reply, reply.data?.amount_captured);
    return reply;
  }

  async cancel(no: string): Promise<Reply<CancelReply>> {
    const key = randomUUID();
    const reply = await this.insist(`cancel ${no}`, () => this.client.cancel(no, {}, key));
    this.remember(no, reply, reply.data?.amount_captured);
    return reply;
  }

  private remember(no: string, reply: Reply<{ status: string }>, amountCaptured?: number): void {
    const closedAs = reply.code === 'PRE_AUTH_CLOSED' ? reply.details?.['status'] : undefined;
    const status = reply.status === 200 ? reply.data.status : closedAs;
    if (typeof status !== 'string') return;
    this.told.push({
      preAuthNo: no,
      status,
      ...(reply.status === 200 && amountCaptured !== undefined && { amountCaptured }),
    });
  }

  /** @throws Error with the last answer when nothing definite came in time */
  private async insist<T>(what: string, request: () => Promise<Reply<T>>): Promise<Reply<T>> {
    const endMs = Date.now() + GIVE_UP_MS;
    for (;;) {
      const answer = await request().catch((error: unknown) => ({ failed: String(error) }));
      if (!('failed' in answer) && isDefinite(answer)) return answer;
      if (this.victims.deaths.length > 0) throw new Error(`${what}: ${this.victims.deaths.join('\n')}`);
      const last = 'failed' in answer ? answer.failed : `${answer.status} ${answer.code}`;
      if (Date.now() > endMs)
        throw new Error(`${what}: nothing definite within ${GIVE_UP_MS} ms; last ${last}`);
      this.repeats += 1;
      await sleep(PAUSE_MS);
    }
  }
}
