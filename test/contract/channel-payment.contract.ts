/**
 * What every channel that takes money must do, as one suite for all of them: run against the sandbox in every test run,
 * and against the channel itself where there are credentials, because a sandbox that nobody compares drifts away from the
 * truth. What a channel has not is named in its harness's `restrictions`, and only that is left out.
 */
import { ChannelFault, InvalidEventSignature } from '../../src/domain/channel';
import type { CallIdentity } from '../../src/domain/channel';
import { faultOf, paymentOf, PaymentSuite } from './channel-payment.harness';
import type { PaymentHarness } from './channel-payment.harness';
import { describeDisputes, describeRefunds } from './channel-refund.contract';

export { PLAIN } from './channel-payment.harness';
export type { PaymentHarness, PaymentRestrictions, SignedEvent } from './channel-payment.harness';

export function describePaymentContract(name: string, makeHarness: () => Promise<PaymentHarness>): void {
  describe(`a channel that takes money: ${name}`, () => {
    const suite = new PaymentSuite();
    beforeAll(async () => {
      suite.harness = await makeHarness();
    });
    afterAll(() => suite.harness.close());
    describe('create', () => describeCreate(suite));
    describe('reads', () => describeReads(suite));
    describe('pay', () => describePay(suite));
    describe('cancel', () => describeCancel(suite));
    describe('refunds', () => describeRefunds(suite));
    describe('disputes', () => describeDisputes(suite));
    describe('events', () => describeEvents(suite));
  });
}

function describeCreate(suite: PaymentSuite): void {
  test('waits for the customer, and gives what the browser needs', async () => {
    const call = suite.newIdentity()('create/1');
    const { answer, customer } = await suite.create(call);
    expect(answer.kind).toBe('pending');
    const snapshot = paymentOf(answer);
    expect(snapshot).toMatchObject({
      ...suite.money,
      status: 'requires_action',
      amountPaid: 0,
      amountRefunded: 0,
    });
    expect(snapshot.channelPaymentNo).toMatch(/.+/);
    expect(suite.harness.adapter.needsCompletion(snapshot)).toBe(false);
    if (suite.has.keepsIdentity) expect(snapshot).toMatchObject(identityOf(call));
    expect(customer.nextAction?.type).toMatch(/^(client_secret|redirect|qr_code)$/);
  });

  test('the same key and body again is the same payment', async () => {
    const call = suite.newIdentity()('create/1');
    const first = await suite.create(call);
    const second = await suite.create(call);
    expect(second.answer).toEqual(first.answer);
    // What is only signed for the browser may carry the time of its signature.
    if (suite.has.createsAtChannel) expect(second.customer).toEqual(first.customer);
  });

  test('another identity with the same numbers is another payment', async () => {
    const [one, other] = [await suite.created(), await suite.created()];
    expect(other.id).not.toBe(one.id);
  });

  test('the same key with another body proves nothing: a fault, and never a decline', async () => {
    const call = suite.newIdentity()('create/1');
    const first = await suite.create(call);
    const { amount, currency } = suite.money;
    const again = await faultOf(suite.create(call, { amount: amount + 400, currency }));
    // Where nothing reaches the channel nobody can notice, but the number is the same, so that one of both can be paid.
    if (!suite.has.createsAtChannel) {
      const number = paymentOf(first.answer).channelPaymentNo;
      expect(again).toMatchObject({ accepted: { answer: { snapshot: { channelPaymentNo: number } } } });
      return;
    }
    expect(again).toBeInstanceOf(ChannelFault);
    expect(again).toMatchObject({ execution: 'maybe_executed', storedAnswer: false });
  });

  test('bad credentials are a decline, not a fault', async () => {
    if (!suite.has.createsAtChannel) return;
    const call = suite.newIdentity()('create/1');
    const { answer, customer } = await suite.create(call, suite.money, suite.harness.withBadCredentials);
    expect(answer).toMatchObject({ kind: 'declined', code: 'account_invalid' });
    expect(customer).toEqual({});
  });

  test('money that the channel cannot express is declined', async () => {
    for (const money of suite.harness.refusedMoney) {
      const { answer } = await suite.create(suite.newIdentity()('create/1'), money);
      expect({ money, answer }).toMatchObject({
        answer: { kind: 'declined', code: expect.stringMatching(/^invalid_(amount|currency)$/) as string },
      });
    }
  });
}

function identityOf({ holdfastId, holdfastCall }: CallIdentity) {
  return { holdfastId, holdfastCall };
}

function describeReads(suite: PaymentSuite): void {
  test('a payment is read as it was created', async () => {
    const { identity, id } = await suite.created();
    const snapshot = await suite.query(id);
    if (!suite.has.visibleBeforePay && snapshot === undefined) return;
    expect(snapshot).toMatchObject({ ...suite.money, channelPaymentNo: id, status: 'requires_action' });
    if (suite.has.keepsIdentity) expect(snapshot).toMatchObject(identityOf(identity('create/1')));
  });

  test('what does not exist is undefined', async () => {
    expect(await suite.query(suite.harness.missingId)).toBeUndefined();
  });

  test('a read with bad credentials is a fault, never "does not exist"', async () => {
    const { id } = await suite.created();
    const read = suite.harness.withBadCredentials.queryPayment(id, suite.exchange);
    await expect(read).rejects.toBeInstanceOf(ChannelFault);
  });

  test('a payment is found by the identity of its create, at once, and only by it', async () => {
    const since = Math.floor(Date.now() / 1000) - 5;
    const [one, other] = [await suite.created(), await suite.created()];
    const find = async (call: CallIdentity) => {
      const created = { fromUnixSeconds: since, toUnixSeconds: Date.now() / 1000 };
      const found = await suite.harness.adapter.findPayments(call, created, suite.exchange);
      return found.map(({ snapshot }) => snapshot.channelPaymentNo);
    };
    expect(await find(one.identity('create/1'))).toEqual(suite.has.findable ? [one.id] : []);
    expect(await find(other.identity('create/1'))).toEqual(suite.has.findable ? [other.id] : []);
    // Another attempt of the same payment is another call.
    expect(await find(one.identity('create/2'))).toEqual([]);
    expect(await find(suite.newIdentity()('create/1'))).toEqual([]);
  });
}

function describePay(suite: PaymentSuite): void {
  test('what the customer pays arrives, and is the amount asked for', async () => {
    const { id, snapshot, identity } = await suite.paid();
    const { amount, currency } = suite.money;
    const expected = { channelPaymentNo: id, currency, amount, amountPaid: amount, amountRefunded: 0 };
    expect(snapshot).toMatchObject({ status: 'succeeded', ...expected });
    expect(snapshot).not.toHaveProperty('irregular');
    expect(snapshot).not.toHaveProperty('lastDecline');
    if (suite.has.keepsIdentity) expect(snapshot).toMatchObject(identityOf(identity('create/1')));
  });

  test('the approval is the money, or completePayment takes it: once, whatever is asked again', async () => {
    const { identity, id, customer } = await suite.created();
    await suite.harness.pay(id, customer);
    const approved = await suite.query(id);
    if (approved === undefined) throw new Error('a payment that was approved is not there');
    expect(suite.harness.adapter.needsCompletion(approved)).toBe(suite.has.ownCompletion);
    expect(approved.amountPaid).toBe(suite.has.ownCompletion ? 0 : suite.money.amount);
    const done = await suite.complete(id, identity('complete/1'));
    expect(done).toMatchObject({
      kind: 'done',
      snapshot: { status: 'succeeded', amountPaid: suite.money.amount },
    });
    expect(paymentOf(await suite.complete(id, identity('complete/1')))).toMatchObject({
      status: 'succeeded',
      amountPaid: suite.money.amount,
    });
    expect(suite.harness.adapter.needsCompletion(paymentOf(done))).toBe(false);
  });

  test('completing what nobody has approved takes nothing', async () => {
    const { identity, id } = await suite.created();
    const answer = await suite.complete(id, identity('complete/1'));
    expect(answer.kind).not.toBe('done');
    if (answer.kind !== 'declined') expect(answer.snapshot.amountPaid).toBe(0);
  });

  test("a decline of the customer's means leaves the payment open for another try", async () => {
    const { payWithDecline } = suite.harness;
    if (payWithDecline === undefined) return;
    const { identity, id, customer } = await suite.created();
    await payWithDecline(id, customer);
    const declined = await suite.query(id);
    expect(declined).toMatchObject({ status: 'requires_action', amountPaid: 0 });
    expect(declined?.lastDecline?.code).toMatch(/.+/);
    await suite.harness.pay(id, customer);
    if (suite.has.ownCompletion) await suite.complete(id, identity('complete/1'));
    const paid = await suite.query(id);
    expect(paid).toMatchObject({ status: 'succeeded', amountPaid: suite.money.amount });
    expect(paid).not.toHaveProperty('lastDecline');
  });

  test('currencies of other exponents arrive to the unit', async () => {
    for (const money of suite.harness.otherMoney) {
      const { snapshot } = await suite.paid(money);
      expect(snapshot).toMatchObject({ ...money, amountPaid: money.amount });
    }
  });
}

function describeCancel(suite: PaymentSuite): void {
  test('an open payment is closed, and says that it was asked to', async () => {
    const { identity, id, customer } = await suite.created();
    const answer = await suite.cancel(id, identity('cancel/1'));
    expect(answer).toMatchObject({
      kind: 'done',
      snapshot: { channelPaymentNo: id, status: 'canceled', amountPaid: 0, closeCause: 'requested' },
    });
    if (suite.has.cancels === 'by_us') return;
    const read = await suite.query(id);
    if (suite.has.visibleBeforePay || read !== undefined) expect(read?.status).toBe('canceled');
    await expect(suite.harness.pay(id, customer)).rejects.toThrow();
    expect((await suite.query(id))?.amountPaid ?? 0).toBe(0);
  });

  test('again, with the same key or another one, is no second thing', async () => {
    const { identity, id } = await suite.created();
    await suite.cancel(id, identity('cancel/1'));
    expect(paymentOf(await suite.cancel(id, identity('cancel/1'))).status).toBe('canceled');
    const other = await suite.cancel(id, identity('cancel/2'));
    if (other.kind === 'declined') expect(other.code).toMatch(/^(invalid_state|object_not_found)$/);
    else expect(other.snapshot.status).toBe('canceled');
  });

  test('a paid payment is not closed', async () => {
    const { identity, id } = await suite.paid();
    const answer = await suite.cancel(id, identity('cancel/1'));
    if (answer.kind === 'declined') expect(answer.code).toBe('invalid_state');
    else expect(answer.snapshot.status).toBe('succeeded');
    expect(await suite.query(id)).toMatchObject({ status: 'succeeded', amountPaid: suite.money.amount });
  });
}

function describeEvents(suite: PaymentSuite): void {
  // PayPal's answer waits for a certificate, the others' is there at once: both are awaited.
  const parse = async (body: string, headers: Readonly<Record<string, string>>) =>
    suite.harness.adapter.parseInboundEvent(Buffer.from(body), headers);
  const nowSeconds = () => Math.floor(Date.now() / 1000);
  const eventBody = () => suite.harness.eventBody(suite.harness.missingId, 'payment/m/1');

  test('an event with a good signature names its payment', async () => {
    const { body, headers } = suite.harness.signEvent(eventBody(), nowSeconds(), false);
    const event = await parse(body, headers);
    expect(event).toMatchObject({ objectId: suite.harness.missingId });
    expect(event.eventId).toMatch(/.+/);
    expect(event.type).toMatch(/.+/);
    if (suite.has.keepsIdentity) expect(event.holdfastId).toBe('payment/m/1');
    // The same bytes are the same event, so that a repeat is stored once.
    expect((await parse(body, headers)).eventId).toBe(event.eventId);
  });

  test('a forged, an old, a changed and an unsigned event are refused', async () => {
    const plain = eventBody();
    const forged = suite.harness.signEvent(plain, nowSeconds(), true);
    await expect(parse(forged.body, forged.headers)).rejects.toThrow(InvalidEventSignature);
    if (suite.has.eventsCarryTime) {
      const old = suite.harness.signEvent(plain, nowSeconds() - 3600, false);
      await expect(parse(old.body, old.headers)).rejects.toThrow(InvalidEventSignature);
    }
    const good = suite.harness.signEvent(plain, nowSeconds(), false);
    const { missingId } = suite.harness;
    const changed = good.body.replace(
      missingId,
      `${missingId.slice(0, -1)}${missingId.endsWith('0') ? 1 : 0}`,
    );
    expect(changed).not.toBe(good.body);
    await expect(parse(changed, good.headers)).rejects.toThrow(InvalidEventSignature);
    await expect(parse(plain, {})).rejects.toThrow(InvalidEventSignature);
    await expect(parse('', good.headers)).rejects.toThrow(InvalidEventSignature);
  });
}
