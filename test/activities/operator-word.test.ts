/** Who gave a command: only what has the mark of the API, for this very command, is the merchant's. */
import { speakerOf } from '../../src/activities/operator-word';
import { markedFor } from '../../src/domain/commands';
import type { CancelCommand, CaptureCommand } from '../../src/domain/commands';
import type { ObjectRef } from '../../src/domain/ids';
import { createSecretBox } from '../../src/stores/secret-box';

const keyOf = (id: string, byte: number) => `${id}:${Buffer.alloc(32, byte).toString('base64')}`;
const box = createSecretBox(keyOf('k1', 1));
const hold: ObjectRef = { merchantId: 'm1', kind: 'pre_auth', no: 'PA1' };
const command: CaptureCommand = { kind: 'capture', commandId: 'c1', amount: 100, by: 'api' };
const after = { amount: 100 };
const mark = box.seal('', markedFor(hold, command));

const speaker = (said: CaptureCommand | CancelCommand, object: ObjectRef = hold) =>
  speakerOf(box, said, object, after);

test('what the API has marked is not in the audit', () => {
  expect(speaker({ ...command, mark })).toEqual({ by: 'api' });
  const rotated = createSecretBox(`${keyOf('k2', 2)},${keyOf('k1', 1)}`);
  expect(speakerOf(rotated, { ...command, mark }, hold, after)).toEqual({ by: 'api' });
});

test.each<[string, CaptureCommand | CancelCommand]>([
  ['nobody marked', command],
  ['is marked with a text', { ...command, mark: 'api' }],
  ['is marked with nothing', { ...command, mark: '' }],
  ['is marked with half a seal', { ...command, mark: mark.slice(0, 20) }],
  ['has a mark under a key that is not ours', { ...command, mark: mark.replace('k1', 'k9') }],
  ['has a mark of a key with the same name', { ...command, mark: createSecretBox(keyOf('k1', 3)).seal('', markedFor(hold, command)) }],
  ['has the mark of another amount', { ...command, amount: 101, mark }],
  ['has the mark of an amount, and names none', { kind: 'capture', commandId: 'c1', by: 'api', mark }],
  ['has the mark of another command', { ...command, commandId: 'c2', mark }],
  ['has the mark of a capture', { kind: 'cancel', commandId: 'c1', by: 'api', mark }],
])('a word that %s is an operator without a name', (_what, said) => {
  const { by, word } = speaker(said);
  expect([by, word?.by]).toEqual([undefined, undefined]);
  expect(word).toMatchObject({ action: `signal.${said.kind}`, requestId: said.commandId, entity: 'pre_auth', entityId: 'm1/PA1', after });
}); // prettier-ignore

test('nor does the mark of another hold prove anything', () => {
  expect(speaker({ ...command, mark }, { ...hold, no: 'PA2' }).word).toMatchObject({
    entityId: 'm1/PA2',
  });
});

test('an operator is called as he calls himself', () => {
  expect(speaker({ ...command, by: 'ann' })).toMatchObject({ by: 'ann', word: { by: 'ann' } });
  for (const by of ['API', ' root', 'merchant', 'Temporal'])
    expect(speaker({ ...command, by })).toMatchObject({ by: undefined, word: { by: undefined } });
});
