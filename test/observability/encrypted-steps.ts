/** The activities of the workflow beside: a result, a heartbeat and a failure, each with what it was given. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

export function echo(text: string): Promise<string> {
  const { info, heartbeat } = Context.current();
  if (!info.isLocal) heartbeat(`beat ${text}`);
  return Promise.resolve(`echo of ${text}`);
}

export function fail(text: string): Promise<string> {
  throw ApplicationFailure.nonRetryable(`activity failed with ${text}`, 'FAILED', { text });
}
