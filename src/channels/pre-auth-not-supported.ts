/** The one answer of every channel that cannot hold money (yet): nothing is sent, nothing is written. */
import { InvalidEventSignature } from '../domain/channel';
import type { ChannelAdapter, ChannelCapabilities, ChannelName } from '../domain/channel';
import { fail } from '../domain/errors';

export const PRE_AUTH_NOT_SUPPORTED_CAPABILITIES: ChannelCapabilities = {
  preAuth: false,
  partialCapture: false,
  multipleCaptures: false,
  currencies: new Set(),
  holdValiditySeconds: 0,
  idempotencyHorizonSeconds: 0,
};

/** Every verb of a hold throws HoldfastError PRE_AUTH_NOT_SUPPORTED; no event of such a channel is believed. */
export function createPreAuthNotSupported(channel: ChannelName): ChannelAdapter {
  const notSupported = () => Promise.reject(fail('PRE_AUTH_NOT_SUPPORTED', { channel }));
  return {
    channel,
    createPreAuth: notSupported,
    capturePreAuth: notSupported,
    cancelPreAuth: notSupported,
    queryPreAuth: notSupported,
    findPreAuths: notSupported,
    parseInboundEvent: () => {
      throw new InvalidEventSignature(`no events are taken from ${channel}`);
    },
  };
}
