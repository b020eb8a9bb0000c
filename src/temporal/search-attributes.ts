/** What people find workflows by in the Temporal Web UI and CLI, made known to Temporal before a worker polls. */
import { isGrpcServiceError, ServiceError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { status as grpcStatus } from '@grpc/grpc-js';
import { temporal } from '@temporalio/proto';
import { SEARCH_ATTRIBUTES } from '../domain/search-attributes';

const {
  INDEXED_VALUE_TYPE_BOOL,
  INDEXED_VALUE_TYPE_DATETIME,
  INDEXED_VALUE_TYPE_INT,
  INDEXED_VALUE_TYPE_KEYWORD,
} = temporal.api.enums.v1.IndexedValueType;

/** As the API names the types, and as the CLI does. */
const TYPES = {
  KEYWORD: { indexed: INDEXED_VALUE_TYPE_KEYWORD, cli: 'Keyword' },
  INT: { indexed: INDEXED_VALUE_TYPE_INT, cli: 'Int' },
  DATETIME: { indexed: INDEXED_VALUE_TYPE_DATETIME, cli: 'Datetime' },
  BOOL: { indexed: INDEXED_VALUE_TYPE_BOOL, cli: 'Bool' },
} as const;

/**
 * Registers the search attributes, once per namespace. A workflow that sets one Temporal does not know cannot go on, so
 * no worker may poll before this has worked.
 * @throws Error when Temporal is away, or somebody with more rights has to do it: the message says how
 */
export async function registerSearchAttributes(client: Client): Promise<void> {
  const { namespace } = client.options;
  const { operatorService } = client.connection;
  /** Those that are not there, or are of another type. */
  const missing = async (isWrong: (now: unknown, wanted: unknown) => boolean) => {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    return SEARCH_ATTRIBUTES.filter(({ name, type }) =>
      isWrong(customAttributes?.[name], TYPES[type].indexed),
    );
  };
  const isAbsent = (now: unknown) => now === undefined;
  const problem = (wrong: typeof SEARCH_ATTRIBUTES, cause?: unknown) => {
    const pairs = wrong.map(({ name, type }) => `--name ${name} --type ${TYPES[type].cli}`).join(' ');
    const command = `temporal operator search-attribute create --namespace ${namespace} ${pairs}`;
    const names = wrong.map(({ name, type }) => `${name} (${TYPES[type].cli})`).join(', ');
    return new Error(`no search attributes of these types yet: ${names}; where we may not, do: ${command}`, {
      cause,
    });
  };
  const absent = await missing(isAbsent);
  if (absent.length > 0) {
    const searchAttributes = Object.fromEntries(absent.map(({ name, type }) => [name, TYPES[type].indexed]));
    await operatorService
      .addSearchAttributes({ namespace, searchAttributes })
      .catch(async (error: unknown) => {
        // Another worker that started at the same moment may have been quicker.
        const still = await missing(isAbsent);
        if (still.length > 0) throw problem(still, error);
      });
  }
  const wrong = await missing((now, wanted) => now !== wanted);
  if (wrong.length > 0) throw problem(wrong);
  // It may take a moment until they are in force.
  await client.workflow.count(SEARCH_ATTRIBUTES.map(({ name }) => `${name} IS NULL`).join(' AND '));
}

/**
 * Starts a workflow with its search attributes, and where Temporal does not know them yet (no worker of this version has
 * registered them) without: its worker adds them. To be found is worth less than the promise itself.
 */
export async function findably<T>(start: (isFindable: boolean) => Promise<T>): Promise<T> {
  try {
    return await start(true);
  } catch (error) {
    // Whatever else may be wrong with what was asked for is wrong without them too, and said then.
    const root = !isGrpcServiceError(error) && error instanceof ServiceError ? error.cause : error;
    if (!isGrpcServiceError(root) || root.code !== grpcStatus.INVALID_ARGUMENT) throw error;
    return start(false);
  }
}
