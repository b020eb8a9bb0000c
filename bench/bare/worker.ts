/** The bare workflow's own worker process, with the settings of Holdfast's; ends with the bench that forked it. */
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { bareActivities } from './activities';
import { BARE_QUEUE, READY } from './messages';

async function main(): Promise<void> {
  const logger = new DefaultLogger('WARN');
  Runtime.install({ shutdownSignals: [], logger });
  const connection = await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
  const worker = await Worker.create({
    connection,
    namespace: process.env['TEMPORAL_NAMESPACE'] ?? 'default',
    taskQueue: BARE_QUEUE,
    activities: bareActivities,
    workflowBundle: await bundleWorkflowCode({ workflowsPath: require.resolve('./workflow'), logger }),
    shutdownGraceTime: '8s',
  });
  process.once('disconnect', () => worker.shutdown());
  process.send?.(READY);
  await worker.run();
  await connection.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
