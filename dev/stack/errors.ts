/** A failure a person can act on: its message is a sentence that says what to do, and is shown without a stack trace. */
export class StackError extends Error {
  override readonly name = 'StackError';
}
