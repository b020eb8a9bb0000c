/** A whole workflow on a real server: what Temporal is given has no word of it, and who has the keys reads it all. */
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { Client } from '@temporalio/client';
import type { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { workflowBundle as stackBundle } from '../../dev/stack/bundle';
import { temporalBinary } from '../../dev/stack/temporal-binary';
import { createCodecServer } from '../../src/observability/codec-server';
import { createLogger } from '../../src/observability/logger';
import {
  assertBundleFits,
  createDataConverter,
  createPayloadCodec,
  FAILURE_CONVERTER_PATH,
} from '../../src/observability/payload-codec';
import { eventually } from '../e2e/eventually';
import * as steps from './encrypted-steps';

const SECRET = `secret-${randomUUID()}`;
const keyOf = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const K1 = keyOf('k1');
const K2 = keyOf('k2');
const taskQueue = `encrypted-${randomUUID()}`;
const convert = (keys: string) =>
  createDataConverter({ HOLDFAST_PAYLOAD_KEYS: keys, HOLDFAST_PAYLOAD_ENCRYPTION: true });

let connection: NativeConnection;
let workflowBundle: WorkflowBundleWithSourceMap;

beforeAll(async () => {
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR') });
  connection = await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: require.resolve('./encrypted-workflow'),
    failureConverterPath: FAILURE_CONVERTER_PATH,
    logger: new DefaultLogger('ERROR'),
  });
}, 60_000);
afterAll(() => connection?.close());

const clientWith = (keys: string) => new Client({ connection, dataConverter: convert(keys) });
const workerWith = (keys: string) =>
  Worker.create({
    ...{ connection, taskQueue, workflowBundle, dataConverter: convert(keys) },
    activities: steps,
  });

/** Starts one, speaks with it in all ways, and ends it with `last`. @returns its id */
async function liveThrough(client: Client, last: string): Promise<string> {
  const workflowId = randomUUID();
  const handle = await client.workflow.start('encrypted', {
    ...{ workflowId, taskQueue, args: [SECRET], memo: { note: SECRET } },
    ...{ staticSummary: `summary ${SECRET}`, staticDetails: `details ${SECRET}` },
  });
  expect(await handle.executeUpdate('note', { args: [SECRET] })).toBe(`updated ${SECRET}`);
  for (const text of [`fail ${SECRET}`, `refuse ${SECRET}`]) {
    const error: unknown = await handle
      .executeUpdate('note', { args: [text] })
      .catch((caught: unknown) => caught);
    expect((error as WorkflowUpdateFailedError).cause?.message).toContain(text);
  }
  expect(await handle.query('note')).toMatch(/^(working|waiting) $/);
  await handle.signal('note', last);
  return workflowId;
}

/** All that Temporal keeps of it, bytes as text. */
async function keptOf(
  workflowId: string,
): Promise<{ text: string; events: temporal.api.history.v1.IHistoryEvent[] }> {
  const handle = new Client({ connection }).workflow.getHandle(workflowId);
  const history = await handle.fetchHistory();
  // As it stands: a client would read the memo, and it has no keys.
  const execution = { workflowId };
  const described = await connection.workflowService.describeWorkflowExecution({
    namespace: 'default',
    execution,
  });
  return { text: written(history) + written(described), events: history.events ?? [] };
}

function written(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (Array.isArray(value)) return value.map(written).join('\n');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, inner]) => `${name}: ${written(inner)}`)
    .join('\n');
}

test('Temporal keeps no word, failures included; who has the keys reads all of it', async () => {
  const client = clientWith(K1);
  const worker = await workerWith(K1);
  await worker.runUntil(async () => {
    const done = await liveThrough(client, SECRET);
    expect(await client.workflow.getHandle(done).result()).toBe(`result ${SECRET}`);
    const died = await liveThrough(client, `die ${SECRET}`);
    const error: unknown = await client.workflow
      .getHandle(died)
      .result()
      .catch((caught: unknown) => caught);
    expect((error as WorkflowFailedError).cause?.message).toBe(`died of die ${SECRET}`);
    for (const id of [done, died]) {
      const { text, events } = await keptOf(id);
      expect(text).not.toContain(SECRET);
      // No piece of code or path of a stack trace either.
      expect(text).not.toMatch(/encrypted-workflow|\bat \w+ \(/);
      // What is allowed to be there is found, so what is not would be found too.
      expect(text).toContain('binary/encrypted');
      expect(text).toContain('Encoded failure');
      expect(text).toContain(id === died ? 'DIED' : 'REFUSED');
      expect(events.length).toBeGreaterThan(20);
    }
    expect((await client.workflow.getHandle(done).describe()).memo).toEqual({ note: SECRET });
  });
}, 60_000);

test('without encryption the same words are there, so the search finds what there is to find', async () => {
  const dataConverter = {};
  const client = new Client({ connection, dataConverter });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowBundle,
    activities: steps,
    dataConverter,
  });
  const id = await worker.runUntil(async () => {
    const started = await liveThrough(client, `die ${SECRET}`);
    await client.workflow
      .getHandle(started)
      .result()
      .catch(() => undefined);
    return started;
  });
  const { text } = await keptOf(id);
  expect(text.split(SECRET).length).toBeGreaterThan(10);
}, 60_000);

test('a workflow begun under one key is finished under the next, and read under both', async () => {
  const first = await workerWith(K1);
  const id = await first.runUntil(async () => {
    const handle = await clientWith(K1).workflow.start('encrypted', {
      ...{ workflowId: randomUUID(), taskQueue, args: [SECRET] },
    });
    await eventually(
      'its activities are done',
      () => handle.query<string>('note'),
      (phase) => phase === 'waiting ',
    );
    return handle.workflowId;
  });
  const client = clientWith(`${K2},${K1}`);
  const second = await workerWith(`${K2},${K1}`);
  await second.runUntil(async () => {
    // A value of the Web UI without a codec endpoint is plain, and taken all the same.
    await new Client({ connection }).workflow.getHandle(id).signal('note', 'plain');
    expect(await client.workflow.getHandle(id).result()).toBe(`result ${SECRET}`);
  });
  await expect(clientWith(K1).workflow.getHandle(id).result()).rejects.toThrow('"k2"');
}, 60_000);

async function temporalCommand(args: readonly string[]): Promise<string> {
  const report = () => undefined;
  const binary = await temporalBinary({ environment: process.env, report });
  const address = ['--address', process.env['TEMPORAL_ADDRESS'] ?? ''];
  return (await promisify(execFile)(binary, [...args, ...address])).stdout;
}

test('a history is read through the codec server, as the Web UI and the temporal command do it', async () => {
  const worker = await workerWith(K1);
  const id = await worker.runUntil(async () => {
    const started = await liveThrough(clientWith(K1), `die ${SECRET}`);
    await clientWith(K1)
      .workflow.getHandle(started)
      .result()
      .catch(() => undefined);
    return started;
  });
  const token = 'a'.repeat(24);
  const settings = { CODEC_TOKENS: `ui:${token}`, CODEC_ORIGINS: [], CODEC_TOKEN_IN_PATH: false };
  const codec = createPayloadCodec(K1, true);
  const server: Server = createCodecServer({ codec, settings, log: createLogger('test', 'silent') });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const { events } = await keptOf(id);
    const failure = events.at(-1)?.workflowExecutionFailedEventAttributes?.failure;
    const asked = [failure?.encodedAttributes, ...(failure?.applicationFailureInfo?.details?.payloads ?? [])];
    const payloads = asked.map((one) => temporal.api.common.v1.Payload.fromObject(one ?? {}).toJSON());
    const response = await fetch(`${url}/decode`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ payloads }),
    });
    const answer = (await response.json()) as { payloads: { data: string }[] };
    const [text, details] = answer.payloads.map(({ data }) => Buffer.from(data, 'base64').toString());
    expect(JSON.parse(text ?? '')).toMatchObject({ message: `died of die ${SECRET}` });
    expect(JSON.parse(details ?? '')).toEqual({ note: `die ${SECRET}` });
    const shown = await temporalCommand(['workflow', 'show', '--workflow-id', id, '--output', 'json']);
    expect(shown).not.toContain(SECRET);
    const remote = ['--codec-endpoint', url, '--codec-auth', `Bearer ${token}`];
    const read = await temporalCommand(['workflow', 'describe', '--workflow-id', id, ...remote]);
    expect(read).toContain(`summary ${SECRET}`);
  } finally {
    server.close().closeAllConnections();
  }
}, 60_000);

test('a bundle of the workflows says whether it encodes failures', async () => {
  const [plain, encoded] = [await stackBundle({}), await stackBundle({ HOLDFAST_PAYLOAD_KEYS: K1 })];
  expect(() => assertBundleFits(encoded, convert(K1))).not.toThrow();
  expect(() => assertBundleFits(plain, convert(K1))).toThrow('WORKFLOW_BUNDLE');
  expect(() => assertBundleFits(plain, {})).not.toThrow();
  const notYet = { HOLDFAST_PAYLOAD_KEYS: K1, HOLDFAST_PAYLOAD_ENCRYPTION: 'false' };
  expect(await stackBundle(notYet)).toBe(plain);
}, 60_000);
