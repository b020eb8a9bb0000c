/** News of a channel that was left, with an adapter in memory: what no sandbox shows, and what a crash leaves behind. */
import { ChannelFault } from '../../src/domain/channel';
import type { RefundSnapshot } from '../../src/domain/channel-payment';
import { answer, canceled, held, keyOf, LeftChannel, numberOf, payment } from './left-rig';

let left: LeftChannel;

beforeAll(async () => {
  left = await LeftChannel.open();
});
afterAll(() => left?.close());
beforeEach(() => left.restore());

test('what can be paid there is cancelled under a key that is committed before, and read back', async () => {
  const object = await left.moved();
  left.shown = payment();
  let known: unknown;
  left.onCancel = async () => {
    known = await left.leftOf(object);
    return answer((left.shown = canceled()));
  };
  const event = await left.news(object, numberOf(object));
  await left.process(event);
  const place = { channel_no: numberOf(object), cancels: 1, needs_attention: null };
  expect(known).toEqual([{ ...place, cancel_key: keyOf(object, 1), is_cancelled: false }]);
  expect(await left.leftOf(object)).toEqual([{ ...place, cancel_key: null, is_cancelled: true }]);
  expect(left.keys).toEqual([keyOf(object, 1)]);
  expect(await left.eventOf(event)).toMatchObject({ state: 'processed', attempts: 0 });
  expect(await left.notesOf(object)).toEqual(['channel.left_cancel', 'channel.left_event']);
  expect(left.called).toEqual([]);
});

test('money that is held there is released there; no answer: the same key, until a read shows it', async () => {
  const object = await left.moved('pre_auth');
  left.shown = held();
  left.onCancel = () => Promise.reject(new ChannelFault('maybe_executed', 'timeout'));
  const event = await left.news(object, numberOf(object));
  for (let i = 0; i < 2; i += 1) await expect(left.process(event)).rejects.toThrow('timeout');
  expect(left.keys).toEqual([keyOf(object, 1), keyOf(object, 1)]);
  expect(await left.eventOf(event)).toMatchObject({ state: 'stored', attempts: 2 });
  // It was executed all the same, and nobody has to send anything any more.
  left.shown = held({ status: 'canceled', amountCapturable: 0 });
  await left.process(event);
  expect(left.keys).toHaveLength(2);
  expect(await left.leftOf(object)).toMatchObject([{ cancels: 1, cancel_key: null, is_cancelled: true }]);
  expect(await left.eventOf(event)).toMatchObject({ state: 'processed' });
  const hold = await left.rows.db.query('SELECT status, version FROM pre_auths WHERE pre_auth_no = $1', [
    object.no,
  ]);
  expect(hold.rows).toEqual([{ status: 'requires_capture', version: 1 }]);
});

test('a release that is refused calls an operator once, and is tried again under another key', async () => {
  const object = await left.moved('pre_auth');
  left.shown = held();
  left.onCancel = () => Promise.resolve({ kind: 'declined', code: 'account_invalid', providerCode: 'x' });
  const event = await left.news(object, numberOf(object));
  for (let i = 0; i < 3; i += 1) await expect(left.process(event)).rejects.toThrow('left_object_not_over');
  expect(new Set(left.keys)).toEqual(new Set([1, 2, 3].map((n) => keyOf(object, n))));
  expect(left.called).toEqual(['stripe: a channel that it has left refuses to cancel what is there']);
  expect(await left.leftOf(object)).toMatchObject([
    { needs_attention: left.called[0]?.slice('stripe: '.length) },
  ]);
  left.onCancel = () =>
    Promise.resolve(answer((left.shown = held({ status: 'canceled', amountCapturable: 0 }))));
  await left.process(event);
  expect(await left.eventOf(event)).toMatchObject({ state: 'processed' });
});

test('money that is still held after "wrong state" calls an operator too, what is only open does not', async () => {
  left.onCancel = () => Promise.resolve({ kind: 'declined', code: 'invalid_state', providerCode: 'x' });
  const open = await left.moved();
  left.shown = payment({ status: 'processing' });
  await expect(left.process(await left.news(open, numberOf(open)))).rejects.toThrow('left_object_not_over');
  expect(left.called).toEqual([]);
  const object = await left.moved('pre_auth');
  left.shown = held();
  await expect(left.process(await left.news(object, numberOf(object)))).rejects.toThrow(
    'left_object_not_over',
  );
  expect(left.called).toHaveLength(1);
});

test('seen alive again after its cancellation was read back: cancelled anew, and an operator is called', async () => {
  const object = await left.moved();
  left.shown = payment();
  await left.process(await left.news(object, numberOf(object)));
  expect(left.called).toEqual([]);
  left.shown = payment();
  // The process dies between the commit and the cancel: what was committed says all of it.
  left.onCancel = () => Promise.reject(new Error('killed'));
  const event = await left.news(object, numberOf(object));
  await expect(left.process(event)).rejects.toThrow('killed');
  expect(await left.leftOf(object)).toMatchObject([
    {
      cancels: 2,
      cancel_key: keyOf(object, 2),
      needs_attention: expect.stringContaining('alive again') as string,
    },
  ]);
  left.onCancel = () => Promise.resolve(answer((left.shown = canceled())));
  await left.process(event);
  expect(left.keys).toEqual([keyOf(object, 1), keyOf(object, 2), keyOf(object, 2)]);
  expect(left.called).toHaveLength(1);
  expect(await left.leftOf(object)).toMatchObject([{ cancels: 2, cancel_key: null, is_cancelled: true }]);
});

test('what another run has cancelled while a reading was on its way is not alive again', async () => {
  const object = await left.moved();
  left.shown = payment();
  const [early, late] = [
    await left.news(object, numberOf(object)),
    await left.news(object, numberOf(object)),
  ];
  left.meanwhile = () => left.process(late);
  await expect(left.process(early)).rejects.toThrow('left_object_read_before_its_end');
  expect(left.keys).toEqual([keyOf(object, 1)]);
  expect(left.called).toEqual([]);
  await left.process(early);
  expect(await left.eventOf(early)).toMatchObject({ state: 'processed', attempts: 1 });
  expect(await left.leftOf(object)).toMatchObject([
    { cancels: 1, is_cancelled: true, needs_attention: null },
  ]);
  expect(left.keys).toHaveLength(1);
});

test.each([
  ['the channel does not show it yet', 'pi', undefined, 'not_shown'],
  ['the news names no number', null, canceled(), 'not_named'],
  ['its status says nothing', 'pi', payment({ status: 'unknown' }), 'unclear'],
  ['it is another object’s', 'pi', payment({ holdfastId: 'payment/m/other' }), 'of_another'],
])('%s: tried again at growing intervals, unmatched after three days', async (_, number, there, fault) => {
  const object = await left.moved();
  left.shown = there;
  const event = await left.news(object, number === null ? null : numberOf(object));
  const waits = [];
  for (let i = 0; i < 3; i += 1) {
    await expect(left.process(event)).rejects.toThrow(fault);
    waits.push((await left.eventOf(event))?.wait ?? 0);
  }
  expect(waits[1]).toBeGreaterThan(waits[0] ?? 0);
  expect(waits[2]).toBeGreaterThan(waits[1] ?? 0);
  expect(await left.eventOf(event)).toMatchObject({ state: 'stored' });
  await left.makeOld(event);
  await expect(left.process(event)).rejects.toThrow(fault);
  expect(await left.eventOf(event)).toMatchObject({ state: 'unmatched' });
  expect(await left.notesOf(object)).toEqual(['channel.event_given_up']);
  expect(left.called).toEqual([expect.stringContaining('given up')]);
  expect(left.keys).toEqual([]);
});

test('news without a number is read under the one that is known there', async () => {
  const object = await left.moved();
  left.shown = canceled();
  await left.process(await left.news(object, numberOf(object)));
  const event = await left.news(object, null);
  await left.process(event);
  expect(await left.eventOf(event)).toMatchObject({ state: 'processed' });
});

test('a cancel that is given up leaves its need of an operator in its row', async () => {
  const object = await left.moved('pre_auth');
  left.shown = held();
  left.onCancel = () => Promise.reject(new ChannelFault('not_sent', 'refused'));
  const event = await left.news(object, numberOf(object));
  await left.makeOld(event);
  await expect(left.process(event)).rejects.toThrow('refused');
  expect(await left.leftOf(object)).toMatchObject([
    { cancel_key: keyOf(object, 1), needs_attention: expect.stringContaining('given up') as string },
  ]);
});

test('what stands at the channel of a payment that ended without one is cancelled, and its money is late', async () => {
  const object = await left.endedUntaken();
  left.shown = payment();
  await left.process(await left.news(object, numberOf(object)));
  expect(left.keys).toEqual([keyOf(object, 1)]);
  left.shown = payment({ status: 'succeeded', amountPaid: 1_000, channelTradeNo: `ch-${object.no}` });
  await left.process(await left.news(object, numberOf(object)));
  const late = await left.rows.db.query(
    'SELECT channel_no, amount, kind FROM late_payments WHERE object_no = $1',
    [object.no],
  );
  expect(late.rows).toEqual([{ channel_no: numberOf(object), amount: 1_000, kind: 'late' }]);
});

test('a refund by hand that its news names only by the trade is counted there; one that failed later is not', async () => {
  const object = await left.moved();
  const trade = `ch-${object.no}`;
  left.shown = payment({ status: 'succeeded', amountPaid: 1_000, channelTradeNo: trade });
  await left.process(await left.news(object, numberOf(object)));
  const byHand: RefundSnapshot = {
    ...{ channelRefundNo: `re-${object.no}`, status: 'succeeded', currency: 'USD', amount: 1_000 },
  };
  const stateOf = async () =>
    (
      await left.rows.db.query<{ state: string }>('SELECT state FROM late_payments WHERE object_no = $1', [
        object.no,
      ])
    ).rows[0]?.state;
  for (const [status, state] of [
    ['succeeded', 'refunded'],
    ['failed', 'needs_attention'],
  ] as const) {
    left.refunds = [{ ...byHand, status }];
    const event = await left.news(object, trade, 'refund');
    // Nothing but the number of the trade leads to it.
    await left.process({ ...event, holdfast_id: null });
    expect(await stateOf()).toBe(state);
    expect(await left.eventOf(event)).toMatchObject({ state: 'processed' });
  }
  expect(await left.rows.figures(object)).toEqual({ reserved: 0, external: 0 });
});
