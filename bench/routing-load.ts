/** One who asks as fast as it is answered, over so many connections. */
import { Agent } from 'undici';
import { serve } from './webhooks-child';

export interface Target {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What is posted; without one it is a GET. */
  readonly body?: string;
}

const calls = {
  /** @returns answers per second. @throws Error for an answer that is not 200 */
  async load(target: Target, connections: number, seconds: number): Promise<number> {
    const { origin, path, headers, body = null } = target;
    const method = body === null ? 'GET' : 'POST';
    const agent = new Agent({ connections, pipelining: 1 });
    const startedAt = performance.now();
    const endAt = startedAt + seconds * 1_000;
    let answered = 0;
    const caller = async (): Promise<void> => {
      while (performance.now() < endAt) {
        const answer = await agent.request({ origin, path, method, headers, body });
        const text = await answer.body.text();
        if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}: ${text}`);
        answered += 1;
      }
    };
    await Promise.all(Array.from({ length: connections }, caller));
    const tookMs = performance.now() - startedAt;
    await agent.close();
    return (answered * 1_000) / tookMs;
  },
};
export type LoadCalls = typeof calls;

serve(calls);
