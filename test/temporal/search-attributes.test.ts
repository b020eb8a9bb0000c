/** The search attributes, in namespaces that have not seen them. */
import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { NativeConnection } from '@temporalio/worker';
import { SEARCH_ATTRIBUTES } from '../../src/domain/search-attributes';
import { createCommandGateway } from '../../src/temporal/command-gateway';
import { createObjectGateway } from '../../src/temporal/object-gateway';
import { registerSearchAttributes } from '../../src/temporal/search-attributes';
import { eventually } from '../e2e/eventually';

const {
  INDEXED_VALUE_TYPE_BOOL,
  INDEXED_VALUE_TYPE_DATETIME,
  INDEXED_VALUE_TYPE_INT,
  INDEXED_VALUE_TYPE_KEYWORD,
} = temporal.api.enums.v1.IndexedValueType;
const REGISTERED = {
  HoldfastMerchant: INDEXED_VALUE_TYPE_KEYWORD,
  HoldfastNumber: INDEXED_VALUE_TYPE_KEYWORD,
  HoldfastOrder: INDEXED_VALUE_TYPE_KEYWORD,
  HoldfastChannel: INDEXED_VALUE_TYPE_KEYWORD,
  HoldfastStatus: INDEXED_VALUE_TYPE_KEYWORD,
  HoldfastCurrency: INDEXED_VALUE_TYPE_KEYWORD,
  HoldfastAmount: INDEXED_VALUE_TYPE_INT,
  HoldfastEndsAt: INDEXED_VALUE_TYPE_DATETIME,
  HoldfastNeedsAttention: INDEXED_VALUE_TYPE_BOOL,
};
/** What an SQL database has room for, by type. */
const ROOM: Readonly<Record<string, number>> = { KEYWORD: 10, INT: 3, DATETIME: 3, BOOL: 3 };

let connection: NativeConnection;

beforeAll(async () => {
  connection = await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
});
afterAll(() => connection?.close());

async function freshNamespace(): Promise<Client> {
  const namespace = `attributes-${randomUUID()}`;
  const workflowExecutionRetentionPeriod = { seconds: 86_400 } as unknown as { seconds: Long };
  await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
  await eventually(
    'the namespace is there',
    () => attributesOf(namespace).catch(() => undefined),
    (attributes) => attributes !== undefined,
  );
  return new Client({ connection, namespace });
}

async function attributesOf(namespace: string) {
  return (await connection.operatorService.listSearchAttributes({ namespace })).customAttributes;
}

const untilInForce = (client: Client) =>
  eventually(
    'they are in force',
    () =>
      registerSearchAttributes(client).then(
        () => true,
        () => false,
      ),
    (done) => done,
  );

test('there is room for all of them', () => {
  const counts = SEARCH_ATTRIBUTES.map(({ type }) => type).reduce<Record<string, number>>(
    (all, type) => ({ ...all, [type]: (all[type] ?? 0) + 1 }),
    {},
  );
  for (const [type, count] of Object.entries(counts)) expect(count).toBeLessThanOrEqual(ROOM[type] ?? 0);
});

test('are registered once, and asking again changes nothing', async () => {
  const client = await freshNamespace();
  const { namespace } = client.options;
  expect(await attributesOf(namespace)).toEqual({});
  await untilInForce(client);
  expect(await attributesOf(namespace)).toEqual(REGISTERED);
  await registerSearchAttributes(client);
  expect(await client.workflow.count('HoldfastNeedsAttention = true')).toMatchObject({ count: 0 });
}, 60_000);

test('a namespace of an older version gets those that it lacks', async () => {
  const client = await freshNamespace();
  const { namespace } = client.options;
  const searchAttributes = { HoldfastNeedsAttention: INDEXED_VALUE_TYPE_BOOL };
  await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  await untilInForce(client);
  expect(await attributesOf(namespace)).toEqual(REGISTERED);
}, 60_000);

test('whoever starts at the same moment and is slower finds it done', async () => {
  let isThere = false;
  const operatorService = {
    listSearchAttributes: () => Promise.resolve({ customAttributes: isThere ? REGISTERED : {} }),
    addSearchAttributes: () => {
      // By the other one: here between the look and the attempt.
      isThere = true;
      return Promise.reject(new Error('ALREADY_EXISTS'));
    },
  };
  const count = jest.fn();
  const slower = { options: { namespace: 'n' }, connection: { operatorService }, workflow: { count } };
  await registerSearchAttributes(slower as unknown as Client);
  expect(count).toHaveBeenCalledTimes(1);
});

test('where they cannot be registered, the operator is told what to do', async () => {
  const client = await freshNamespace();
  const { namespace } = client.options;
  // Of another type already, which we cannot change.
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: { HoldfastAmount: INDEXED_VALUE_TYPE_KEYWORD },
  });
  await expect(registerSearchAttributes(client)).rejects.toThrow(
    `temporal operator search-attribute create --namespace ${namespace} --name HoldfastAmount --type Int`,
  );
}, 60_000);

describe('where Temporal does not know them yet', () => {
  const TASK_QUEUE = `nobody-${randomUUID()}`;
  const newHold = () => ({
    ...{ merchantId: randomUUID(), kind: 'pre_auth' as const, no: `PA-${randomUUID()}` },
    traits: { orderNo: 'O-1', channel: 'stripe', status: 'processing', currency: 'USD', amount: 500 },
  });

  test('a workflow is started all the same', async () => {
    const client = await freshNamespace();
    const gateway = createObjectGateway(client, TASK_QUEUE);
    const hold = newHold();
    await gateway.ensure(hold);
    await gateway.resync(hold);
    const handle = client.workflow.getHandle(`pre-auth/${hold.merchantId}/${hold.no}`);
    expect((await handle.describe()).typedSearchAttributes.getAll()).toEqual([]);
    await handle.terminate();
  }, 60_000);

  test('an answer is waited for all the same', async () => {
    const client = await freshNamespace();
    const hold = newHold();
    const waiting = createCommandGateway(client, TASK_QUEUE, () => '').awaitCreated(
      hold,
      randomUUID(),
      3_000,
    );
    const [outcome] = await Promise.allSettled([waiting]);
    // Nobody works on that queue: it is the deadline that ends it, and the workflow is there.
    expect(String((outcome as { reason?: unknown }).reason)).toMatch(/timeout|deadline/i);
    const handle = client.workflow.getHandle(`pre-auth/${hold.merchantId}/${hold.no}`);
    expect((await handle.describe()).status.name).toBe('RUNNING');
    await handle.terminate();
  }, 60_000);
});
