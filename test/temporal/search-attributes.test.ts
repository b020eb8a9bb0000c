/** The search attribute of objects that need an operator, in namespaces that have not seen it. */
import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { NativeConnection } from '@temporalio/worker';
import { registerSearchAttributes } from '../../src/temporal/search-attributes';
import { NEEDS_ATTENTION } from '../../src/workflows/messages';
import { eventually } from '../e2e/eventually';

const { INDEXED_VALUE_TYPE_BOOL, INDEXED_VALUE_TYPE_KEYWORD } = temporal.api.enums.v1.IndexedValueType;
const { name } = NEEDS_ATTENTION;

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

test('is registered once, and asking again changes nothing', async () => {
  const client = await freshNamespace();
  const { namespace } = client.options;
  expect(await attributesOf(namespace)).toEqual({});
  await eventually(
    'it is in force',
    () =>
      registerSearchAttributes(client).then(
        () => true,
        () => false,
      ),
    (done) => done,
  );
  expect(await attributesOf(namespace)).toEqual({ [name]: INDEXED_VALUE_TYPE_BOOL });
  await registerSearchAttributes(client);
  expect(await client.workflow.count(`${name} = true`)).toMatchObject({ count: 0 });
}, 60_000);

test('whoever starts at the same moment and is slower finds it done', async () => {
  let isThere = false;
  const operatorService = {
    listSearchAttributes: () =>
      Promise.resolve({ customAttributes: isThere ? { [name]: INDEXED_VALUE_TYPE_BOOL } : {} }),
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

test('where it cannot be registered, the operator is told what to do', async () => {
  const client = await freshNamespace();
  const { namespace } = client.options;
  // Of another type already, which we cannot change.
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: { [name]: INDEXED_VALUE_TYPE_KEYWORD },
  });
  await expect(registerSearchAttributes(client)).rejects.toThrow(
    `temporal operator search-attribute create --namespace ${namespace} --name ${name} --type Bool`,
  );
}, 60_000);
