/** What a reading of something at a channel that was left means: every status, of payments and of holds. */
import { CHANNEL_HOLD_STATUSES } from '../../src/domain/channel';
import type { ChannelHoldStatus } from '../../src/domain/channel';
import { CHANNEL_PAYMENT_STATUSES } from '../../src/domain/channel-payment';
import type { ChannelPaymentStatus } from '../../src/domain/channel-payment';
import { leftShown } from '../../src/domain/left-object';
import type { LeftShown } from '../../src/domain/left-object';

const PAYMENT: Readonly<Record<ChannelPaymentStatus, LeftShown['state']>> = {
  requires_action: 'live',
  processing: 'live',
  succeeded: 'over',
  canceled: 'over',
  failed: 'over',
  unknown: 'unclear',
};

const HOLD: Readonly<Record<ChannelHoldStatus, LeftShown['state']>> = {
  requires_payment_method: 'live',
  requires_confirmation: 'live',
  requires_action: 'live',
  processing: 'live',
  requires_capture: 'live',
  succeeded: 'over',
  canceled: 'over',
  unknown: 'unclear',
};

const money = { currency: 'USD', amount: 1_000 };

test.each(CHANNEL_PAYMENT_STATUSES)('a payment that is %s', (status) => {
  const snapshot = { ...money, channelPaymentNo: 'pi', status, amountPaid: 400, amountRefunded: 0 };
  expect(leftShown(snapshot)).toEqual({
    ...{ state: PAYMENT[status], currency: 'USD', taken: 400, held: 0, isRefunded: false },
  });
  expect(leftShown({ ...snapshot, amountRefunded: 1, channelTradeNo: 'ch' })).toMatchObject({
    ...{ isRefunded: true, tradeNo: 'ch' },
  });
});

test.each(CHANNEL_HOLD_STATUSES)('a hold that is %s', (status) => {
  const snapshot = { ...money, channelPreAuthNo: 'pi', status, amountCapturable: 600, amountCaptured: 400 };
  const held = status === 'requires_capture' ? 600 : 0;
  expect(leftShown(snapshot)).toEqual({
    ...{ state: HOLD[status], currency: 'USD', taken: 400, held, isRefunded: false },
  });
});
