/** Requests and responses that never change their prototype, on a real connection. */
import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expressMessages } from '../../src/api/express-messages';

test('they are made with the prototypes that Express gives them, and do what they did', async () => {
  const app = express();
  app.post('/orders/:no', express.json(), (req, res) => {
    res.status(201).json({ no: req.params['no'], given: req.body as unknown, host: req.get('host') });
  });
  const prototypes: unknown[] = [];
  const server = createServer(expressMessages(app), (req, res) => {
    prototypes.push(Object.getPrototypeOf(req), Object.getPrototypeOf(res));
    expect(req).toBeInstanceOf(IncomingMessage);
    expect(res).toBeInstanceOf(ServerResponse);
    app(req, res);
    prototypes.push(Object.getPrototypeOf(req), Object.getPrototypeOf(res));
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const answer = await fetch(`http://${host}/orders/7`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"amount":1}',
    });
    expect(answer.status).toBe(201);
    expect(await answer.json()).toEqual({ no: '7', given: { amount: 1 }, host });
    expect(prototypes).toEqual([app.request, app.response, app.request, app.response]);
    prototypes.forEach((prototype, at) => expect(prototype).toBe(at % 2 === 0 ? app.request : app.response));
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
