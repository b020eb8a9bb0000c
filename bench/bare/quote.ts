/** The bare route: Express, a JSON body read, and the same bytes answered each time. No key, no validation, no decision. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { serve } from '../webhooks-child';

const calls = {
  /** @param answer what every POST to /quote is answered @returns the port */
  async listen(answer: string): Promise<number> {
    const app = express();
    // As Holdfast's: neither of them reckons a tag or names itself.
    app.disable('x-powered-by');
    app.disable('etag');
    app.post('/quote', express.json(), (_req, res) => {
      res.type('application/json').send(answer);
    });
    const server = createServer(app);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  },
};
export type BareQuoteCalls = typeof calls;

serve(calls);
