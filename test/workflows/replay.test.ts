/**
 * Every recorded history is replayed against the workflows as they are now: a change that would break holds, payments or
 * deliveries under way fails here. Recorded by dev/record-histories.ts (before 1.0 they may be recorded again).
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DeterminismViolationError } from '@temporalio/workflow';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils';
import { DefaultLogger, Runtime, Worker, bundleWorkflowCode } from '@temporalio/worker';
import type { ReplayWorkerOptions, WorkflowBundle } from '@temporalio/worker';
import { APPROVAL_PATHS } from '../../dev/approval-history-paths';
import { FAILOVER_PATHS } from '../../dev/failover-history-paths';
import { FINDABLE_PATHS, UPGRADED } from '../../dev/findable-history-paths';
import { HISTORY_PATHS } from '../../dev/history-paths';
import { PAYMENT_PATHS } from '../../dev/payment-history-paths';
import { REFUND_PATHS } from '../../dev/refund-history-paths';
import { workflowBundle as encryptingBundle } from '../../dev/stack/bundle';
import { payloadConverter } from '../../dev/stack/payloads';
import { DELIVERY_PATHS, RETENTION_PATH, SWEEP_PATH } from '../../dev/webhook-history-paths';

const FOLDER = join(__dirname, 'histories');
const NAMES = [
  ...[HISTORY_PATHS, APPROVAL_PATHS, PAYMENT_PATHS, FAILOVER_PATHS, REFUND_PATHS, FINDABLE_PATHS]
    .flat()
    .map(({ name }) => name),
  ...DELIVERY_PATHS.map(({ name }) => name),
  ...[SWEEP_PATH, RETENTION_PATH, UPGRADED],
];
const EXPECTED = NAMES.map((name) => `${name}.json`).sort();
const WORKFLOW_ID = 'pre-auth/11111111-1111-4111-8111-111111111111/REPLAYED';

const textOf = (file: string) => readFileSync(join(FOLDER, file), 'utf8');

/** Payloads are base64 in a history: what they say is appended in the clear. */
function inTheClear(json: string): string {
  const payloads = [...json.matchAll(/"data": "([A-Za-z0-9+/=]+)"/g)].map(([, data = '']) =>
    Buffer.from(data, 'base64').toString('utf8'),
  );
  return [json, ...payloads].join('\n');
}

/** What must never be in a workflow's history, or names the machine it was recorded on. */
function leaksOf(text: string): string[] {
  const forbidden = [/_secret_/, /@/, /whsec_/, /sk_test_/, /example\.com/, /\/(?:root|home|work|Users)\//];
  return forbidden.flatMap((pattern) => pattern.exec(text)?.[0] ?? []);
}

/** What was said to the workflow by signals and updates. */
function wordsIn({ events }: ReturnType<typeof historyFromJSON>) {
  return (events ?? []).flatMap((event) => {
    const { acceptedRequest } = event.workflowExecutionUpdateAcceptedEventAttributes ?? {};
    const input = event.workflowExecutionSignaledEventAttributes?.input ?? acceptedRequest?.input?.args;
    return input?.payloads ?? [];
  });
}

describe('recorded histories', () => {
  let workflowBundle: WorkflowBundle;
  let encrypting: Pick<ReplayWorkerOptions, 'workflowBundle' | 'dataConverter'>;

  beforeAll(async () => {
    const quiet = { logging: { filter: 'OFF', console: {} } };
    Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: quiet });
    workflowBundle = await bundleWorkflowCode({
      workflowsPath: join(__dirname, '..', '..', 'src', 'workflows', 'index.ts'),
      workflowInterceptorModules: [require.resolve('../../src/workflows/trace-headers')],
      logger: new DefaultLogger('ERROR'),
    });
    const settings = { HOLDFAST_PAYLOAD_KEYS: `k1:${Buffer.alloc(32, 1).toString('base64')}` };
    const codePath = await encryptingBundle(settings);
    encrypting = { workflowBundle: { codePath }, dataConverter: payloadConverter(settings) };
  }, 120_000);

  test('there is one for every path', () => {
    expect(readdirSync(FOLDER).sort()).toEqual(EXPECTED);
    expect(EXPECTED.length).toBeGreaterThanOrEqual(27);
  });

  test.each(EXPECTED)(
    '%s replays',
    async (file) => {
      const history = historyFromJSON(JSON.parse(textOf(file)));
      await Worker.runReplayHistory({ workflowBundle }, history, WORKFLOW_ID);
      // Begun before encryption was switched on, they go on under it.
      await Worker.runReplayHistory(encrypting, history, WORKFLOW_ID);
    },
    120_000,
  );

  test('a history that the workflow would not have made is refused', async () => {
    const other = textOf('canceled.json').replace('"name": "preAuth"', '"name": "pickup"');
    const replaying = Worker.runReplayHistory(
      { workflowBundle },
      historyFromJSON(JSON.parse(other)),
      WORKFLOW_ID,
    );
    await expect(replaying).rejects.toThrow(DeterminismViolationError);
  }, 120_000);

  // What an older version let in, and this one refuses, was carried out: its workflow goes on all the same.
  test.each([
    ['canceled-between-channels.json', '"by"', { by: 'root' }],
    ['operator-input-refused.json', 'guest left', { by: 'api', reason: 'guest left' }],
    [
      'moved-though-decided-by-operator.json',
      '"outcome"',
      { by: 'api', reason: 'x', outcome: 'not_executed' },
    ],
    ['captured-by-operator-update.json', '"amount"', { amount: 50_000, by: 'api' }],
    ['captured-in-part.json', '"commandId"', { kind: 'capture', commandId: 'x', amuont: 32_000 }],
    ['payment-cancelled.json', '"commandId"', { kind: 'cancel', commandId: 'x', by: 'ann', why: 'x' }],
  ])(
    '%s replays with a word that is refused now',
    async (file, part, word) => {
      const history = historyFromJSON(JSON.parse(textOf(file)));
      const said = wordsIn(history).filter(({ data }) => Buffer.from(data ?? []).includes(part));
      expect(said).toHaveLength(1);
      for (const payload of said) payload.data = Buffer.from(JSON.stringify(word));
      await Worker.runReplayHistory({ workflowBundle }, history, WORKFLOW_ID);
    },
    120_000,
  );

  test.each(EXPECTED)('%s carries no secret, no personal datum and no machine', (file) => {
    expect(leaksOf(inTheClear(textOf(file)))).toEqual([]);
  });

  test('a leak would be seen, also inside a payload', () => {
    const data = Buffer.from('{"clientSecret":"pi_1_secret_2","email":"a@b.co"}').toString('base64');
    expect(leaksOf(inTheClear(`{ "data": "${data}" }`))).toEqual(['_secret_', '@']);
  });
});
