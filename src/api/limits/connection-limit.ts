/** How many connections one address may have open to this process: one client could take all of them else. */
import type { Socket } from 'node:net';
import type { AddressOf } from './client-address';

/** @returns false: this address has too many; else the connection is counted until it is closed */
export type AdmitConnection = (socket: Socket) => boolean;

/**
 * Trusted proxies are not counted: theirs are the connections of many.
 * @param onRefused told of each one that is not admitted; must not throw
 */
export function createConnectionLimit(
  addressOf: AddressOf,
  perAddress: number,
  onRefused: () => void,
): AdmitConnection {
  // No larger than the connections that there may be.
  const open = new Map<string, number>();
  return (socket) => {
    const address = addressOf({ headers: {}, socket });
    if (address === undefined) return true;
    const count = open.get(address) ?? 0;
    if (count >= perAddress) {
      onRefused();
      return false;
    }
    open.set(address, count + 1);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
    return true;
  };
}
