/**
 * What every channel that can hold money must do, as one suite: run against the sandbox in every test run, and against
 * the channel itself where there are credentials, because a sandbox that nobody compares drifts away from the truth.
 */
import { randomUUID } from 'node:crypto';
import { ChannelFault, InvalidEventSignature } from '../../src/domain/channel';
import type { CallIdentity, ChannelAdapter, HoldAnswer, HoldSnapshot } from '../../src/domain/channel';

export interface PreAuthHarness {
  readonly adapter: ChannelAdapter;
  readonly withBadCredentials: ChannelAdapter;
  readonly timeoutMs: number;
  /** The customer confirms, with a good card. */
  confirm(channelPreAuthNo: string): Promise<void>;
  /** Rejects, as the customer's browser would be told. */
  confirmWithDeclinedCard(channelPreAuthNo: string): Promise<void>;
  /** Headers of an event as the channel signs it. */
  signEvent(body: string, unixSeconds: number, isForged: boolean): Record<string, string>;
  eventBody(channelPreAuthNo: string, holdfastId: string): string;
  readonly missingId: string;
  close(): void;
}

const AMOUNT = 50_000;

export function describePreAuthContract(name: string, makeHarness: () => Promise<PreAuthHarness>): void {
  describe(`a channel that holds money: ${name}`, () => {
    const suite = new ContractSuite();
    beforeAll(async () => {
      suite.harness = await makeHarness();
    });
    afterAll(() => suite.harness.close());
    describeCreate(suite);
    describeCapture(suite);
    describeCancel(suite);
    describeReads(suite);
    describeEvents(suite);
  });
}

/** Everything the tests share: fresh identities, and the verbs with their usual arguments. */
class ContractSuite {
  harness!: PreAuthHarness;
  get exchange() {
    return { timeoutMs: this.harness.timeoutMs };
  }
  newHold() {
    const holdfastId = `pre-auth/contract/${randomUUID()}`;
    return (operation: string): CallIdentity => ({
      idempotencyKey: `${holdfastId}/${operation}`,
      holdfastId,
      holdfastCall: operation,
    });
  }
  create(call: CallIdentity, amount = AMOUNT) {
    const numbers = { preAuthNo: 'PA-contract', orderNo: 'ORDER-contract' };
    return this.harness.adapter.createPreAuth({ ...numbers, amount, currency: 'USD' }, call, this.exchange);
  }
  capture(id: string, amount: number, call: CallIdentity) {
    const request = { channelPreAuthNo: id, amount, currency: 'USD', final: true };
    return this.harness.adapter.capturePreAuth(request, call, this.exchange);
  }
  cancel(id: string, call: CallIdentity) {
    return this.harness.adapter.cancelPreAuth({ channelPreAuthNo: id, currency: 'USD' }, call, this.exchange);
  }
  query(id: string) {
    return this.harness.adapter.queryPreAuth(id, this.exchange);
  }
  async created() {
    const hold = this.newHold();
    const { answer } = await this.create(hold('create/1'));
    return { hold, id: snapshotOf(answer).channelPreAuthNo };
  }
  async held() {
    const hold = await this.created();
    await this.harness.confirm(hold.id);
    return hold;
  }
}

function snapshotOf(answer: HoldAnswer): HoldSnapshot {
  if (answer.kind === 'declined') throw new Error(`declined: ${answer.code} ${answer.providerCode}`);
  return answer.snapshot;
}

function describeCreate(suite: ContractSuite): void {
  test('create waits for the customer, and gives what the browser needs', async () => {
    const call = suite.newHold()('create/1');
    const { answer, customer } = await suite.create(call);
    expect(answer.kind).toBe('pending');
    expect(snapshotOf(answer)).toMatchObject({
      status: 'requires_payment_method',
      amount: AMOUNT,
      currency: 'USD',
      amountCapturable: 0,
      amountCaptured: 0,
      holdfastId: call.holdfastId,
      holdfastCall: 'create/1',
    });
    expect(customer.clientSecret).toMatch(/.+/);
  });

  test('the same key and body again is the same hold', async () => {
    const call = suite.newHold()('create/1');
    const first = await suite.create(call);
    expect(await suite.create(call)).toEqual(first);
  });

  test('the same key with another body proves nothing', async () => {
    const call = suite.newHold()('create/1');
    await suite.create(call);
    const fault = await suite.create(call, AMOUNT + 100).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(ChannelFault);
    expect(fault).toMatchObject({ execution: 'maybe_executed', storedAnswer: false });
  });

  test('bad credentials are a decline, not a fault', async () => {
    const request = { preAuthNo: 'PA1', orderNo: 'O1', amount: AMOUNT, currency: 'USD' };
    const call = suite.newHold()('create/1');
    const { answer } = await suite.harness.withBadCredentials.createPreAuth(request, call, suite.exchange);
    expect(answer).toMatchObject({ kind: 'declined', code: 'account_invalid' });
  });

  test('a card that is declined leaves the hold open for another one', async () => {
    const { id } = await suite.created();
    await expect(suite.harness.confirmWithDeclinedCard(id)).rejects.toThrow();
    expect(await suite.query(id)).toMatchObject({ status: 'requires_payment_method', amountCapturable: 0 });
    await suite.harness.confirm(id);
    expect(await suite.query(id)).toMatchObject({ status: 'requires_capture', amountCapturable: AMOUNT });
  });
}

function describeCapture(suite: ContractSuite): void {
  test('a full capture takes everything', async () => {
    const { hold, id } = await suite.held();
    const answer = await suite.capture(id, AMOUNT, hold('capture/1'));
    expect(answer.kind).toBe('done');
    expect(snapshotOf(answer)).toMatchObject({
      status: 'succeeded',
      amountCaptured: AMOUNT,
      amountCapturable: 0,
    });
  });

  test('a partial capture takes its part, releases the rest, and keeps the identity of the create', async () => {
    const { hold, id } = await suite.held();
    const snapshot = snapshotOf(await suite.capture(id, 32_000, hold('capture/1')));
    expect(snapshot).toMatchObject({
      status: 'succeeded',
      amount: AMOUNT,
      amountCaptured: 32_000,
      amountCapturable: 0,
    });
    expect(await suite.query(id)).toEqual(snapshot);
    expect(snapshot.holdfastCall).toBe('create/1');
  });

  test('the same capture key again answers the same and takes nothing more', async () => {
    const { hold, id } = await suite.held();
    const first = await suite.capture(id, 10_000, hold('capture/1'));
    expect(await suite.capture(id, 10_000, hold('capture/1'))).toEqual(first);
    expect(await suite.query(id)).toMatchObject({ amountCaptured: 10_000 });
  });

  test('a second capture is refused', async () => {
    const { hold, id } = await suite.held();
    await suite.capture(id, 10_000, hold('capture/1'));
    const second = await suite.capture(id, 10_000, hold('capture/2'));
    expect(second).toMatchObject({ kind: 'declined', code: 'invalid_state' });
    expect(await suite.query(id)).toMatchObject({ amountCaptured: 10_000 });
  });

  test('more than the hold is refused, and the hold stays', async () => {
    const { hold, id } = await suite.held();
    const answer = await suite.capture(id, AMOUNT + 100, hold('capture/1'));
    expect(answer.kind).toBe('declined');
    expect(await suite.query(id)).toMatchObject({ status: 'requires_capture', amountCapturable: AMOUNT });
  });

  test('capture before the customer has confirmed is refused', async () => {
    const { hold, id } = await suite.created();
    expect(await suite.capture(id, AMOUNT, hold('capture/1'))).toMatchObject({ code: 'invalid_state' });
  });

  test('capture after cancel is refused', async () => {
    const { hold, id } = await suite.held();
    await suite.cancel(id, hold('cancel/1'));
    expect(await suite.capture(id, AMOUNT, hold('capture/1'))).toMatchObject({ code: 'invalid_state' });
    expect(await suite.query(id)).toMatchObject({ status: 'canceled', amountCaptured: 0 });
  });

  test('capture of what does not exist is refused', async () => {
    const answer = await suite.capture(suite.harness.missingId, 100, suite.newHold()('capture/1'));
    expect(answer).toMatchObject({ kind: 'declined', code: 'object_not_found' });
  });
}

function describeCancel(suite: ContractSuite): void {
  test('cancel releases the hold, and says that it was asked to', async () => {
    const { hold, id } = await suite.held();
    const answer = await suite.cancel(id, hold('cancel/1'));
    expect(answer.kind).toBe('done');
    const expected = {
      status: 'canceled',
      amountCapturable: 0,
      amountCaptured: 0,
      releaseCause: 'requested',
    };
    expect(snapshotOf(answer)).toMatchObject(expected);
  });

  test('cancel before the customer has confirmed works, and twice with one key is once', async () => {
    const { hold, id } = await suite.created();
    const first = await suite.cancel(id, hold('cancel/1'));
    expect(snapshotOf(first).status).toBe('canceled');
    expect(await suite.cancel(id, hold('cancel/1'))).toEqual(first);
  });

  test('cancel after capture is refused, and takes nothing back', async () => {
    const { hold, id } = await suite.held();
    await suite.capture(id, AMOUNT, hold('capture/1'));
    expect(await suite.cancel(id, hold('cancel/1'))).toMatchObject({
      kind: 'declined',
      code: 'invalid_state',
    });
    expect(await suite.query(id)).toMatchObject({ status: 'succeeded', amountCaptured: AMOUNT });
  });
}

function describeReads(suite: ContractSuite): void {
  test('a held amount has the deadline of the channel', async () => {
    const { id } = await suite.held();
    const snapshot = await suite.query(id);
    expect(snapshot?.captureBefore).toBeGreaterThan(Date.now() / 1000 + 3600);
    expect(snapshot?.captureBefore).toBeLessThan(Date.now() / 1000 + 31 * 24 * 3600);
  });

  test('what does not exist is undefined', async () => {
    expect(await suite.query(suite.harness.missingId)).toBeUndefined();
  });

  test('a read with bad credentials is a fault, never "does not exist"', async () => {
    const { id } = await suite.created();
    const read = suite.harness.withBadCredentials.queryPreAuth(id, suite.exchange);
    await expect(read).rejects.toBeInstanceOf(ChannelFault);
  });

  test('a hold is found by the identity of its create, at once, and only by it', async () => {
    const since = Math.floor(Date.now() / 1000) - 5;
    const { hold, id } = await suite.created();
    const other = await suite.created();
    const find = (call: CallIdentity) =>
      suite.harness.adapter.findPreAuths(
        call,
        { fromUnixSeconds: since, toUnixSeconds: Date.now() / 1000 },
        suite.exchange,
      );
    const found = await find(hold('create/1'));
    expect(found.map(({ snapshot }) => snapshot.channelPreAuthNo)).toEqual([id]);
    expect(found[0]?.customer.clientSecret).toMatch(/.+/);
    expect((await find(other.hold('create/1'))).map(({ snapshot }) => snapshot.channelPreAuthNo)).toEqual([
      other.id,
    ]);
    expect(await find(hold('create/2'))).toEqual([]);
  });
}

function describeEvents(suite: ContractSuite): void {
  const parse = async (body: string, headers: Record<string, string>) =>
    suite.harness.adapter.parseInboundEvent(Buffer.from(body), headers);
  const nowSeconds = () => Math.floor(Date.now() / 1000);

  test('an event with a good signature names its hold', async () => {
    const body = suite.harness.eventBody('pi_1', 'pre-auth/m/1');
    const event = await parse(body, suite.harness.signEvent(body, nowSeconds(), false));
    const { id } = JSON.parse(body) as { id: string };
    expect(event).toMatchObject({ eventId: id, objectId: 'pi_1', holdfastId: 'pre-auth/m/1' });
  });

  test('a forged, an old, a changed and an unsigned event are refused', async () => {
    const body = suite.harness.eventBody('pi_1', 'pre-auth/m/1');
    const good = suite.harness.signEvent(body, nowSeconds(), false);
    await expect(parse(body, suite.harness.signEvent(body, nowSeconds(), true))).rejects.toThrow(
      InvalidEventSignature,
    );
    await expect(parse(body, suite.harness.signEvent(body, nowSeconds() - 3600, false))).rejects.toThrow(
      InvalidEventSignature,
    );
    await expect(parse(body.replace('pi_1', 'pi_2'), good)).rejects.toThrow(InvalidEventSignature);
    await expect(parse(body, {})).rejects.toThrow(InvalidEventSignature);
  });
}
