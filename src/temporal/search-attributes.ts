/** What people find workflows by in the Temporal Web UI and CLI, made known to Temporal before a worker polls. */
import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { NEEDS_ATTENTION } from '../workflows/messages';

const { INDEXED_VALUE_TYPE_BOOL } = temporal.api.enums.v1.IndexedValueType;

/**
 * Registers the search attribute of objects that need an operator, once per namespace. A workflow that sets one Temporal
 * does not know cannot go on, so no worker may poll before this has worked.
 * @throws Error when Temporal is away, or somebody with more rights has to do it: the message says how
 */
export async function registerSearchAttributes(client: Client): Promise<void> {
  const { namespace } = client.options;
  const { operatorService } = client.connection;
  const { name } = NEEDS_ATTENTION;
  const typeNow = async () =>
    (await operatorService.listSearchAttributes({ namespace })).customAttributes?.[name];
  const problem = (cause?: unknown) => {
    const command = `temporal operator search-attribute create --namespace ${namespace} --name ${name} --type Bool`;
    return new Error(`${name} is no search attribute of type Bool yet; where we may not, do: ${command}`, {
      cause,
    });
  };
  if ((await typeNow()) === undefined) {
    const searchAttributes = { [name]: INDEXED_VALUE_TYPE_BOOL };
    await operatorService
      .addSearchAttributes({ namespace, searchAttributes })
      .catch(async (error: unknown) => {
        // Another worker that started at the same moment may have been quicker.
        if ((await typeNow()) === undefined) throw problem(error);
      });
  }
  if ((await typeNow()) !== INDEXED_VALUE_TYPE_BOOL) throw problem();
  // It may take a moment until it is in force.
  await client.workflow.count(`${name} = true`);
}
