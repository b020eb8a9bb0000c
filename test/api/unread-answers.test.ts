/** Routes that nobody counts: whoever asks them for ever, and does not read what they answer, costs little. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { docsRoutes } from '../../src/api/routes/docs';
import { healthRoutes, openApiRoute } from '../../src/api/routes/health';
import { startBareApi } from './docs-harness';

const CLIENTS = 60;
const REQUESTS = 4;
const MIB = 1024 * 1024;
const LARGE = { paths: { '/x': 'x'.repeat(2 * MIB) } };

it.each(['/docs/swagger-ui-bundle.js', '/openapi.json'])(
  '%s is in memory once, however many do not read it',
  async (path) => {
    const api = await startBareApi([...docsRoutes(), openApiRoute(() => LARGE)]);
    const size = (await api.ask(path)).text.length;
    expect(size).toBeGreaterThan(MIB);
    const before = process.memoryUsage().arrayBuffers;
    const clients: Socket[] = Array.from({ length: CLIENTS }, () =>
      connect(Number(new URL(api.url).port), '127.0.0.1')
        .on('error', () => undefined)
        .pause(),
    );
    for (const client of clients)
      client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(REQUESTS));
    await sleep(1_000);
    const taken = process.memoryUsage().arrayBuffers - before;
    clients.forEach((client) => client.destroy());
    await api.close();
    expect(taken).toBeLessThan((CLIENTS * size) / 10);
  },
);

it('/readyz looks once for all who ask at the same moment, and anew for who asks later', async () => {
  const looks = { postgres: 0, temporal: 0, redis: 0 };
  const check = (name: keyof typeof looks) => async () => {
    looks[name] += 1;
    await sleep(200);
  };
  const api = await startBareApi(
    healthRoutes({ postgres: check('postgres'), temporal: check('temporal'), redis: check('redis') }),
  );
  const ask = () => api.ask('/readyz');
  const answers = await Promise.all(Array.from({ length: 20 }, ask));
  expect(answers.map(({ text }) => (JSON.parse(text) as { status: string }).status)).toEqual(
    Array(20).fill('ok'),
  );
  expect(looks).toEqual({ postgres: 1, temporal: 1, redis: 1 });
  await ask();
  expect(looks).toEqual({ postgres: 2, temporal: 2, redis: 2 });
  await api.close();
});
