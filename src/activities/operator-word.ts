/** What operators say to workflows, by the Web UI or the command line, as it is kept in the audit: with what it does. */
import type { PoolClient } from 'pg';
import { BY_API } from '../domain/commands';
import type { ObjectRef } from '../domain/ids';
import { appendOperatorWord } from '../stores/admin-audit';
import type { OperatorWord } from '../stores/admin-audit';
import { appendNote } from '../stores/outbox';
import type { OperatorDecision } from './records';

interface Commanded {
  readonly kind: 'capture' | 'cancel';
  readonly commandId: string;
  readonly by?: string | undefined;
}

/** The word behind a command; undefined: the merchant gave it. @param after what is done, amounts in minor units */
export function wordOf(command: Commanded, object: ObjectRef, after: object): OperatorWord | undefined {
  if (command.by === BY_API) return undefined;
  const { kind, commandId, by } = command;
  return { by, action: `signal.${kind}`, requestId: commandId, ...entityOf(object), after };
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
