/** Keeps a workflow's search attributes as its object is, so that people find it. */
import { patched, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { NEEDS_ATTENTION, searchAttributesOf } from '../domain/search-attributes';
import type { SearchAttribute, Traits } from '../domain/search-attributes';

export type Findable = Required<Omit<Traits, 'endsAtMs'>> & {
  readonly endsAtMs: number | undefined;
  /** Why an operator must look, or null. */
  readonly needsAttention: string | null;
};

/** Workflows from before only said whether they need somebody. */
const PATCH = 'search-attributes';

/**
 * One command for all that has changed, none when nothing has: it rides in the task that brought the change, and costs
 * an event and a write of the visibility store. What never needed anybody is not marked.
 */
export function findableAs({ needsAttention, endsAtMs, ...traits }: Findable): void {
  const known = workflowInfo().typedSearchAttributes;
  const needed = needsAttention !== null;
  const attention =
    needed === (known.get(NEEDS_ATTENTION) ?? false) ? [] : [{ key: NEEDS_ATTENTION, value: needed }];
  const wanted = searchAttributesOf({ ...traits, ...(endsAtMs !== undefined && { endsAtMs }) });
  const changed = wanted.filter(({ key, value }) => !isSame(known.get(key), value));
  if (changed.length > 0 && patched(PATCH)) upsertSearchAttributes([...changed, ...attention] as Pairs);
  else if (attention.length > 0) upsertSearchAttributes(attention);
}

type Pairs = Parameters<typeof upsertSearchAttributes>[0];

function isSame(known: SearchAttribute['value'] | undefined, wanted: SearchAttribute['value']): boolean {
  return known instanceof Date && wanted instanceof Date
    ? known.getTime() === wanted.getTime()
    : known === wanted;
}
