/**
 * Hands the trace of whoever asks on to the activities that follow, as the header it came in. It makes no spans and draws
 * no numbers: a span's id would be drawn from the workflow's own chance, which names its commands, so that a workflow would
 * come to other names when tracing is switched on or off between two replays. Nothing here waits, for the same reason: a
 * history does not show whether there was a header.
 */
import type { Headers, WorkflowInterceptorsFactory } from '@temporalio/workflow';

/** As clients and activities write and read it (@temporalio/interceptors-opentelemetry). */
const TRACE_HEADER = '_tracer-data';

export const interceptors: WorkflowInterceptorsFactory = () => {
  let latest: Headers[string] | undefined;
  // What is done next belongs to whoever asked last.
  const note = <I extends { readonly headers: Headers }>(input: I): I => {
    latest = input.headers[TRACE_HEADER] ?? latest;
    return input;
  };
  const marked = <I extends { readonly headers: Headers }>(input: I): I =>
    latest === undefined ? input : { ...input, headers: { ...input.headers, [TRACE_HEADER]: latest } };
  return {
    inbound: [
      {
        execute: (input, next) => next(note(input)),
        handleSignal: (input, next) => next(note(input)),
        handleUpdate: (input, next) => next(note(input)),
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) => next(marked(input)),
        scheduleLocalActivity: (input, next) => next(marked(input)),
        continueAsNew: (input, next) => next(marked(input)),
      },
    ],
  };
};
