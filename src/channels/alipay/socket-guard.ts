/**
 * `alipay-sdk` loads `urllib`, which replaces `net.Socket.prototype.destroy` for the whole process by a version that throws
 * when one error ends two sockets, and so takes the process down (alipay-sdk-nodejs-all issue 146). Of the SDK we use what
 * signs and verifies, never its HTTP, so the method is put back. sdk.ts imports this file first: it remembers the original.
 */
import { Socket } from 'node:net';

const original = Object.getOwnPropertyDescriptor(Socket.prototype, 'destroy');

export function restoreSocketDestroy(): void {
  if (original !== undefined) Object.defineProperty(Socket.prototype, 'destroy', original);
  else Reflect.deleteProperty(Socket.prototype, 'destroy');
}
