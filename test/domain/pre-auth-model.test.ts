/** Any sequence of commands and news, in any order, also late and repeated: what must hold of a hold all the same. */
import fc from 'fast-check';
import { CHANNEL_HOLD_STATUSES } from '../../src/domain/channel';
import type { HoldSnapshot, ReleaseCause } from '../../src/domain/channel';
import { judgeCapture, judgeRelease } from '../../src/domain/commands';
import { applyCreateDecline, applySnapshot, isClosed, isHeld } from '../../src/domain/pre-auth';
import type { Cause, Hold, Transition } from '../../src/domain/pre-auth';
import { AMOUNT, CREATED_AT_MS, hold, snapshot } from './holds';

/** The channel's side: one object, changed by whoever gets there first. Every state it was in may be read late. */
class Channel {
  readonly readings: HoldSnapshot[] = [];
  private now = snapshot('requires_payment_method');

  constructor(private readonly again: boolean) {
    this.readings.push(this.now);
  }

  confirm(): void {
    if (this.now.status === 'requires_payment_method') this.become(snapshot('requires_capture'));
  }

  capture(amount: number, final: boolean): boolean {
    if (this.now.status !== 'requires_capture' || amount > this.now.amountCapturable) return false;
    const captured = this.now.amountCaptured + amount;
    this.become(
      snapshot(final || !this.again || captured === AMOUNT ? 'succeeded' : 'requires_capture', captured),
    );
    return true;
  }

  release(releaseCause: ReleaseCause): boolean {
    if (this.now.status === 'succeeded' || this.now.status === 'canceled') return false;
    const { amountCaptured } = this.now;
    this.become(snapshot(amountCaptured > 0 ? 'succeeded' : 'canceled', amountCaptured, { releaseCause }));
    return true;
  }

  get latest(): HoldSnapshot {
    return this.now;
  }

  private become(next: HoldSnapshot): void {
    this.now = next;
    this.readings.push(next);
  }
}

type Step =
  | { readonly do: 'confirm' | 'read' | 'decline' | 'expire' | 'cancel' | 'deadline' | 'dashboard' }
  | { readonly do: 'capture'; readonly amount: number | undefined; readonly final: boolean }
  | { readonly do: 'read late'; readonly age: number; readonly cause: Cause };

const causes = fc.constantFrom<Cause>('create', 'capture', 'cancel', 'expiry', 'channel');
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('confirm', 'read', 'decline', 'expire', 'cancel', 'deadline', 'dashboard') as fc.Arbitrary<'read'> }),
  fc.record({ do: fc.constant('capture' as const), amount: fc.option(fc.integer({ min: 1, max: AMOUNT + 1 }), { nil: undefined }), final: fc.boolean() }),
  fc.record({ do: fc.constant('read late' as const), age: fc.nat(10), cause: causes }),
); // prettier-ignore

function carryOut(state: Hold, channel: Channel, step: Step): Transition | null {
  switch (step.do) {
    case 'confirm':
      channel.confirm();
      return null;
    case 'read':
      return applySnapshot(state, channel.latest, 'channel');
    case 'read late': {
      const reading = channel.readings.at(-1 - (step.age % channel.readings.length));
      return reading === undefined ? null : applySnapshot(state, reading, step.cause);
    }
    case 'decline':
      return applyCreateDecline(state, 'card_declined');
    case 'capture': {
      const { amount } = step;
      const asked = { kind: 'capture', commandId: 'c', final: step.final, ...(amount !== undefined ? { amount } : {}) } as const;
      const judged = judgeCapture(state, asked);
      if ('code' in judged || !channel.capture(judged.amount, judged.final)) return null;
      return applySnapshot(state, channel.latest, 'capture');
    }
    case 'cancel':
    case 'expire':
      if (judgeRelease(state) !== undefined || !channel.release('requested')) return null;
      return applySnapshot(state, channel.latest, step.do === 'expire' ? 'expiry' : 'cancel');
    case 'deadline':
    case 'dashboard':
      channel.release(step.do);
      return null;
  }
} // prettier-ignore

function assertKept(before: Hold, transition: Transition | null): void {
  if (transition === null) return;
  const { next, events } = transition;
  expect(isClosed(before.status)).toBe(false);
  expect(next.version).toBe(before.version + 1);
  expect(next.amountCaptured).toBeGreaterThanOrEqual(before.amountCaptured);
  expect(next.amountCaptured + next.amountCapturable).toBeLessThanOrEqual(next.amount);
  expect(next.amountCapturable > 0).toBe(isHeld(next.status));
  expect(next.expiresAtMs).toBeLessThanOrEqual(before.expiresAtMs);
  const ends = events.filter(({ type }) => /canceled|expired|failed/.test(type) || isClosed(next.status));
  expect(ends.length > 0).toBe(isClosed(next.status));
}

test('money is neither lost nor made, ends are final, versions only grow', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(steps, { maxLength: 25 }), (multipleCaptures, sequence) => {
      const channel = new Channel(multipleCaptures);
      let state = hold('processing', { channelPreAuthNo: null, multipleCaptures });
      for (const step of sequence) {
        const transition = carryOut(state, channel, step);
        assertKept(state, transition);
        state = transition?.next ?? state;
      }
      if (state.status === 'failed') return;
      // Whatever was missed or came late: one more reading, and both sides agree.
      state = applySnapshot(state, channel.latest, 'channel')?.next ?? state;
      expect(state.amountCaptured).toBe(channel.latest.amountCaptured);
      expect(isClosed(state.status)).toBe(['succeeded', 'canceled'].includes(channel.latest.status));
    }),
    { numRuns: 2_000 },
  );
});

test('no reading at all, however odd, breaks what the database checks', () => {
  const odd = fc
    .record({
      status: fc.constantFrom(...CHANNEL_HOLD_STATUSES),
      captured: fc.nat(AMOUNT),
      captureBefore: fc.option(fc.integer({ min: 0, max: CREATED_AT_MS / 500 }), { nil: undefined }),
      releaseCause: fc.constantFrom<ReleaseCause>('requested', 'deadline', 'dashboard'),
    })
    .map(({ status, captured, captureBefore, releaseCause }) =>
      snapshot(status, captured, { releaseCause, ...(captureBefore !== undefined ? { captureBefore } : {}) }),
    );
  fc.assert(
    fc.property(fc.array(fc.tuple(odd, causes), { maxLength: 15 }), (readings) => {
      let state = hold('processing', { channelPreAuthNo: null });
      for (const [reading, cause] of readings) {
        const transition = applySnapshot(state, reading, cause);
        if (transition === null) continue;
        const { next } = transition;
        expect(isClosed(state.status)).toBe(false);
        expect(next.version).toBe(state.version + 1);
        expect(next.amountCaptured).toBeGreaterThanOrEqual(state.amountCaptured);
        expect(next.amountCaptured + next.amountCapturable).toBeLessThanOrEqual(next.amount);
        state = next;
      }
    }),
    { numRuns: 1_000 },
  );
});
