/** A workflow that lets everything a payload can be in appear in its history. */
import {
  ApplicationFailure,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
} from '@temporalio/workflow';
import type * as steps from './encrypted-steps';

export const noteQuery = defineQuery<string>('note');
export const noteSignal = defineSignal<[string?]>('note');
export const noteUpdate = defineUpdate<string, [string]>('note');

const options = { startToCloseTimeout: '5s', heartbeatTimeout: '5s', retry: { maximumAttempts: 1 } } as const;
const { echo, fail } = proxyActivities<typeof steps>(options);
const local = proxyLocalActivities<typeof steps>({
  startToCloseTimeout: '5s',
  retry: { maximumAttempts: 1 },
});

export async function encrypted(input: string): Promise<string> {
  let note = '';
  let phase = 'working';
  setHandler(noteQuery, () => `${phase} ${note}`);
  setHandler(noteSignal, (text = '') => {
    note = text;
  });
  setHandler(
    noteUpdate,
    (text) => {
      if (text.startsWith('fail'))
        throw ApplicationFailure.nonRetryable(`update ${text}`, 'REFUSED', { text });
      return `updated ${text}`;
    },
    {
      validator(text: string) {
        if (text.startsWith('refuse')) throw ApplicationFailure.nonRetryable(`refused ${text}`, 'REFUSED');
      },
    },
  );
  await echo(`activity ${input}`);
  await local.echo(`local ${input}`);
  for (const attempt of [fail, local.fail]) {
    try {
      await attempt(input);
    } catch {
      // Its text is what is looked for.
    }
  }
  await sleep('1ms', { summary: `timer ${input}` });
  phase = 'waiting';
  await condition(() => note !== '');
  if (note.startsWith('die')) throw ApplicationFailure.nonRetryable(`died of ${note}`, 'DIED', { note });
  return `result ${input}`;
}
