/** An adapter that is watched does what it did, and every way in which a call can end is told. */
import { createWatched } from '../../src/channels/watched';
import type { ChannelWatch } from '../../src/channels/watched';
import { createCryptoAdapter } from '../../src/channels/crypto/adapter';
import { ChannelFault } from '../../src/domain/channel';
import type { FullAdapter } from '../../src/domain/channel-payment';

const told: unknown[][] = [];
const watch: ChannelWatch = {
  begin: (channel, operation) => (outcome, reason) =>
    void told.push([channel, operation, outcome, ...(reason === undefined ? [] : [reason])]),
};
const watched = createWatched([watch, watch]);
const EXCHANGE = { timeoutMs: 1_000 };
const CALL = { idempotencyKey: 'k', holdfastId: 'h', holdfastCall: 'create/1' };

beforeEach(() => void told.splice(0));

const adapterThat = (verb: () => Promise<unknown>): FullAdapter =>
  ({
    ...createCryptoAdapter(
      {
        ...{ id: 'a', channel: 'crypto', world: 'test', merchantId: null, contract: {} },
        credentials: { base_url: 'http://127.0.0.1:1', store_id: 's', api_key: 'k' },
      } as never,
      '',
    ),
    cancelPayment: verb,
    createPayment: verb,
    queryPayment: verb,
  }) as FullAdapter;

const cancel = (adapter: FullAdapter, signal?: AbortSignal) =>
  adapter.cancelPayment({ channelPaymentNo: 'x', currency: 'USD' }, CALL, {
    ...EXCHANGE,
    ...(signal !== undefined && { signal }),
  });

test.each([
  [{ kind: 'done', snapshot: {} }, ['done']],
  [{ kind: 'pending', snapshot: {} }, ['pending']],
  [{ kind: 'declined', code: 'invalid_state', providerCode: 'p' }, ['declined', 'invalid_state']],
])('an answer: %j', async (answer, outcome) => {
  const adapter = watched(adapterThat(() => Promise.resolve(answer)));
  expect(await cancel(adapter)).toBe(answer);
  const line = ['crypto', 'cancel_payment', ...outcome];
  expect(told).toEqual([line, line]);
});

test('a create answers besides what the customer needs', async () => {
  const answer = { kind: 'declined', code: 'card_declined', providerCode: 'p' };
  const adapter = watched(adapterThat(() => Promise.resolve({ answer, customer: {} })));
  await adapter.createPayment({} as never, CALL, EXCHANGE);
  expect(told[0]).toEqual(['crypto', 'create_payment', 'declined', 'card_declined']);
});

test.each([undefined, { status: 'succeeded' }])('a read: %j', async (snapshot) => {
  await watched(adapterThat(() => Promise.resolve(snapshot))).queryPayment('x', EXCHANGE);
  expect(told[0]).toEqual(['crypto', 'query_payment', 'answered']);
});

test.each([
  [new ChannelFault('not_sent', 'ECONNREFUSED'), 'not_sent'],
  [new ChannelFault('in_progress', 'busy'), 'in_progress'],
  [new ChannelFault('maybe_executed', 'timeout'), 'maybe_executed'],
  [new TypeError('our mistake'), 'error'],
])('%s', async (fault, outcome) => {
  await expect(cancel(watched(adapterThat(() => Promise.reject(fault))))).rejects.toBe(fault);
  expect(told[0]).toEqual(['crypto', 'cancel_payment', outcome]);
});

test('what we cut off ourselves says nothing of the channel', async () => {
  const fault = new ChannelFault('maybe_executed', 'aborted');
  const adapter = watched(adapterThat(() => Promise.reject(fault)));
  await expect(cancel(adapter, AbortSignal.abort())).rejects.toBe(fault);
  expect(told[0]?.[2]).toBe('cut_off');
});

test('what asks nobody is as it was, a verb that is absent stays absent, and one adapter is one', () => {
  const adapter = adapterThat(() => Promise.resolve());
  const given = watched(adapter);
  expect(given.channel).toBe('crypto');
  expect(Object.keys(given)).toEqual(Object.keys(adapter));
  expect(given.needsCompletion({} as never)).toBe(false);
  expect(watched(adapter)).toBe(given);
  expect(told).toEqual([]);
});

describe('a watch that throws', () => {
  const broken = () => {
    throw new Error('the watch is broken');
  };
  const adapters = createWatched([{ begin: broken }, { begin: () => broken }, watch]);
  let warned: jest.SpyInstance<void, unknown[]>;
  beforeEach(() => {
    warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined) as never;
  });
  afterEach(() => warned.mockRestore());

  test('destroys no answer of the channel, is said once, and keeps nothing from the others', async () => {
    const answer = { kind: 'done', snapshot: {} };
    const adapter = adapters(adapterThat(() => Promise.resolve(answer)));
    expect(await cancel(adapter)).toBe(answer);
    expect(await cancel(adapter)).toBe(answer);
    const line = ['crypto', 'cancel_payment', 'done'];
    expect(told).toEqual([line, line]);
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned.mock.calls[0]?.[1]).toMatchObject({
      detail: expect.stringContaining('is broken') as string,
    });
  });

  test('nor takes the place of a fault', async () => {
    const fault = new ChannelFault('maybe_executed', 'timeout');
    await expect(cancel(adapters(adapterThat(() => Promise.reject(fault))))).rejects.toBe(fault);
    expect(told).toEqual([['crypto', 'cancel_payment', 'maybe_executed']]);
  });
});
