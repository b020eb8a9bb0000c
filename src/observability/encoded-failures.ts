/**
 * Makes texts and stack traces of failures payloads, so that the codec covers them. Its own file, because Temporal loads
 * it by path, in the worker and in the workflow bundle; imports nothing that a workflow may not.
 */
import { DefaultFailureConverter } from '@temporalio/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
