/** Counting changes nothing of what is counted, not even when the count throws. */
import type { AttemptResult, DeliveryJob } from '../../src/domain/webhook/delivery-policy';
import type { FailedWebhook } from '../../src/domain/webhook/failed';
import { countingAttempts, countingDelivered, countingFailed } from '../../src/webhooks/counted';
import type { Recorder } from '../../src/webhooks/relay/recorder';

let counted: string[];
beforeEach(() => {
  counted = [];
  jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
});
afterEach(() => jest.restoreAllMocks());

const COUNTS = {
  attempted: (outcome: string) => void counted.push(outcome),
  ended: (outcome: string) => void counted.push(outcome),
};
const broken = (outcome: string) => {
  counted.push(outcome);
  throw new Error('the count is broken');
};
const BROKEN = { attempted: broken, ended: broken };

describe.each([
  ['that counts', COUNTS],
  ['that throws', BROKEN],
])('metrics %s', (_, metrics) => {
  test('an attempt that was made has its outcome', async () => {
    const result = { statusCode: 204 } as AttemptResult;
    const send = countingAttempts(() => Promise.resolve(result), metrics);
    expect(await send({} as DeliveryJob)).toBe(result);
    expect(counted).toEqual(['delivered']);
  });

  test('what is recorded is told', async () => {
    const recorded = [{ status: 'success' }, { status: 'pending' }, { status: 'success' }];
    const recorder = { record: () => Promise.resolve(recorded) } as never as Recorder;
    expect(await countingDelivered(recorder, metrics).record([], true)).toBe(recorded);
    expect(counted).toEqual(['delivered', 'delivered']);
  });

  test('what was given up is noted', async () => {
    const noted: unknown[] = [];
    const note = countingFailed((failed) => Promise.resolve(void noted.push(...failed)), metrics);
    const failed = [{ error: 'ENDPOINT_DELETED' }, { error: null }] as FailedWebhook[];
    await note(failed);
    expect(noted).toEqual(failed);
    expect(counted).toEqual(['dropped', 'given_up']);
  });
});
