/** Refusals that need a hold of their own, or a value that only a hostile caller sends. */
import { countAllRows } from './checks';
import { startSystem } from './harness';
import type { System } from './harness';
import { holdOf } from './merchant-client';

let system: System;
beforeAll(async () => {
  system = await startSystem();
}, 60_000);
afterAll(() => system.stop());

async function get(path: string) {
  const headers = { authorization: `Bearer ${system.merchant.apiKey}` };
  const response = await fetch(`${system.apiUrl}${path}`, { headers });
  return { status: response.status, body: (await response.json()) as { code: string } };
}

it('refuses to capture an amount the channel cannot say, and writes nothing', async () => {
  const client = system.client();
  const held = await client.held(system.sandbox.url, { amount: 100_000, currency: 'KWD' });
  const before = await countAllRows(system);
  const refused = await client.capture(held.pre_auth_no, { amount: 5_555 });
  expect(refused).toMatchObject({ status: 422, code: 'AMOUNT_NOT_SUPPORTED' });
  expect(await countAllRows(system)).toEqual(before);
  expect((await client.capture(held.pre_auth_no, { amount: 5_550 })).status).toBe(200);
});

it('keeps the reason of a cancel, and nothing of a refused one', async () => {
  const client = system.client();
  const held = await client.held(system.sandbox.url);
  expect(await client.cancel(held.pre_auth_no, { reason: 'two\nlines' })).toMatchObject({ status: 400 });
  expect((await client.cancel(held.pre_auth_no, { reason: 'the guest left' })).status).toBe(200);
  const [row] = await system.rows<{ cancel_reason: string }>(
    'SELECT cancel_reason FROM pre_auths WHERE pre_auth_no = $1',
    [held.pre_auth_no],
  );
  expect(row?.cancel_reason).toBe('the guest left');
  const before = await countAllRows(system);
  expect((await client.cancel(held.pre_auth_no, { reason: 'again' })).status).toBe(409);
  expect(await countAllRows(system)).toEqual(before);
});

it('refuses a cursor that carries what cannot be stored', async () => {
  expect((await system.client().create(holdOf())).status).toBe(201);
  const cursor = Buffer.from(JSON.stringify([1, '\u0000'])).toString('base64url');
  expect(await get(`/api/v1/channel/pre-auth?cursor=${cursor}`)).toMatchObject({
    status: 400,
    body: { code: 'INVALID_REQUEST' },
  });
});
