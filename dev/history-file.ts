/** Histories as files that test/workflows/replay.test.ts replays, without what names a machine. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';

const TARGET = join(__dirname, '..', 'test', 'workflows', 'histories');

const ADDRESSES: ReadonlySet<string> = new Set(['identity', 'stackTrace', 'buildId', 'binaryChecksum']);

/** Drops what names a machine: identities, sticky queues, paths in stack traces. Replaying needs none of them. */
function withoutMachine(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMachine);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([name, field]): [string, unknown] => {
    if (ADDRESSES.has(name) && typeof field === 'string') return [name, name === 'identity' ? 'worker' : ''];
    if (name === 'taskQueue' && isSticky(field)) return [name, { ...field, name: 'sticky' }];
    return [name, withoutMachine(field)];
  });
  return Object.fromEntries(fields);
}

function isSticky(queue: unknown): queue is { kind: string; name: string } {
  return (queue as { kind?: unknown } | null)?.kind === 'TASK_QUEUE_KIND_STICKY';
}

/** What the codec names the encoding of a payload it has sealed, as it stands in a history. */
const SEALED = Buffer.from('binary/encrypted').toString('base64');

/**
 * @returns how many events it has
 * @throws Error when it is encrypted: nobody could replay it who has not the keys
 */
export function writeHistory(name: string, recorded: Parameters<typeof historyToJSON>[0]): number {
  const text = historyToJSON(recorded);
  if (text.includes(SEALED))
    throw new Error(`${name} is encrypted: record on a stack with HOLDFAST_PAYLOAD_ENCRYPTION=false`);
  const history = JSON.parse(text) as { events: unknown[] };
  writeFileSync(join(TARGET, `${name}.json`), `${JSON.stringify(withoutMachine(history), null, 1)}\n`);
  return history.events.length;
}
