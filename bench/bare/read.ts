/** The bare route: Express, one row read from PostgreSQL by its key, its bytes answered. No key, no limit, no validation. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { loadConfig } from '../../src/config/config';
import { createDatabase } from '../../src/stores/postgres';
import { serve } from '../webhooks-child';

const READ = 'SELECT answer FROM bench_answers WHERE number = $1';

const calls = {
  /** @param answer what GET /answers/:number answers. @returns the port */
  async listen(number: string, answer: string): Promise<number> {
    // The pool of Holdfast: the same size, the same prepared statements.
    const db = createDatabase(loadConfig(), () => undefined);
    await db.query(
      'CREATE TABLE IF NOT EXISTS bench_answers (number TEXT PRIMARY KEY, answer TEXT NOT NULL)',
    );
    await db.query('INSERT INTO bench_answers (number, answer) VALUES ($1, $2)', [number, answer]);
    const app = express();
    // As Holdfast's: neither of them reckons a tag or names itself.
    app.disable('x-powered-by');
    app.disable('etag');
    app.get('/answers/:number', async (req, res) => {
      const { rows } = await db.query<{ answer: string }>(READ, [req.params.number]);
      res.type('application/json').send(rows[0]?.answer);
    });
    const server = createServer(app);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  },
};
export type BareReadCalls = typeof calls;

serve(calls);
