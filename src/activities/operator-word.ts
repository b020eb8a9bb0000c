/** Who said what to a workflow. What operators say, by the Web UI or the command line, is kept in the audit with what it does. */
import type { PoolClient } from 'pg';
import { BY_API, isBorrowedName, markedFor } from '../domain/commands';
import type { CancelCommand, CaptureCommand } from '../domain/commands';
import type { ObjectRef } from '../domain/ids';
import { appendOperatorWord } from '../stores/admin-audit';
import type { OperatorWord } from '../stores/admin-audit';
import { appendNote } from '../stores/outbox';
import type { SecretBox } from '../stores/secret-box';
import type { OperatorDecision } from './records';

/** Who gave a command, as its call keeps it; `word`: what the audit is told, nothing of what the merchant asked for. */
export interface Speaker {
  readonly by?: string | undefined;
  readonly word?: OperatorWord;
}

/**
 * Who gave this command: the merchant where it has the API's mark, and without one an operator, whatever `by` says.
 * @param after what is done, amounts in minor units
 */
export function speakerOf(
  box: SecretBox,
  command: CaptureCommand | CancelCommand,
  object: ObjectRef,
  after: object,
): Speaker {
  if (isMarked(box, command, object)) return { by: BY_API };
  const { kind, commandId } = command;
  const by = isBorrowedName(command.by) ? undefined : command.by;
  const word = { by, action: `signal.${kind}` as const, requestId: commandId, ...entityOf(object), after };
  return { by, word };
}

/** Whoever seals for this very purpose has the keys of the API. What was sealed is nothing. */
function isMarked(box: SecretBox, command: CaptureCommand | CancelCommand, object: ObjectRef): boolean {
  if (command.mark === undefined) return false;
  try {
    box.open(command.mark, markedFor(object, command));
    return true;
  } catch {
    return false;
  }
}

/** Keeps who decided an unknown outcome, and why, with the object, and that it was decided in the audit. */
export async function noteDecision(
  tx: PoolClient,
  object: ObjectRef,
  status: string,
  call: { readonly id: string; readonly operation: string; readonly n: number },
  decision: OperatorDecision,
): Promise<void> {
  const { merchantId, kind: objectKind, no: objectNo } = object;
  const { id, operation, n } = call;
  const data = { ...decision, operation, n };
  await appendNote(tx, { merchantId, objectKind, objectNo, type: 'operator.settled', status, data });
  const { by, outcome } = decision;
  const after = { operation, outcome };
  await appendOperatorWord(tx, { by, action: 'signal.settle', requestId: id, ...entityOf(object), after });
}

const entityOf = ({ kind, merchantId, no }: ObjectRef) => ({
  ...{ entity: kind, entityId: `${merchantId}/${no}` },
});
