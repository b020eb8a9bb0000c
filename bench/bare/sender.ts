/** The bare sender: plain POSTs, so many at once, without database, signatures or guard. */
import { randomUUID } from 'node:crypto';
import { Agent } from 'undici';
import { preciseNowMs, serve } from '../webhooks-child';

const BODY = `{"note":"${'x'.repeat(489)}"}`;

const calls = {
  /** @returns when it began, in Unix milliseconds */
  async send(origin: string, path: string, count: number, inFlight: number): Promise<number> {
    const agent = new Agent({ connections: inFlight, pipelining: 1 });
    const startedAtMs = preciseNowMs();
    let left = count;
    const caller = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const headers = { 'content-type': 'application/json', 'webhook-id': randomUUID() };
        const answer = await agent.request({ origin, path, method: 'POST', headers, body: BODY });
        await answer.body.dump();
      }
    };
    await Promise.all(Array.from({ length: inFlight }, caller));
    await agent.close();
    return startedAtMs;
  },
};
export type SenderCalls = typeof calls;

serve(calls);
