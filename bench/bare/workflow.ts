/**
 * The skeleton of src/workflows/pre-auth.ts and nothing else: an update that waits for the create, a capture update,
 * two local activities for each (call the channel, record its answer) and the timer of the expiry.
 */
import { allHandlersFinished, condition, proxyLocalActivities, setHandler } from '@temporalio/workflow';
import type { bareActivities } from './activities';
import { captureUpdate, createdUpdate } from './messages';
import type { BareCapture } from './messages';

const { execute, record } = proxyLocalActivities<typeof bareActivities>({
  startToCloseTimeout: '5s',
  retry: { maximumAttempts: 1 },
});

export async function bareHold(): Promise<string> {
  let created = false;
  let asked: BareCapture | undefined;
  let captured = false;
  setHandler(createdUpdate, async () => {
    await condition(() => created);
    return null;
  });
  setHandler(
    captureUpdate,
    async (command) => {
      asked = command;
      await condition(() => captured);
      return { kind: 'done' } as const;
    },
    {
      validator: (_command: BareCapture) => {
        if (asked !== undefined) throw new Error('busy');
      },
    },
  );
  await execute('create');
  await record('create');
  created = true;
  if (!(await condition(() => asked !== undefined, '24h'))) return 'expired';
  const { commandId } = asked as BareCapture;
  await execute(commandId);
  await record(commandId);
  captured = true;
  await condition(allHandlersFinished);
  return 'succeeded';
}
