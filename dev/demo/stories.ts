/** The five stories of holds. Amounts in cents. */
import { preAuthWorkflowId } from '../../src/domain/ids';
import { cancelHold, getHold, waitForHold } from '../demo-client';
import type { Answer, Hold } from '../demo-client';
import { checkEnding, readBooks } from './books';
import type { Ending } from './books';
import type { Stage } from './stage';
import { ask, capture, confirm, WAIT_MS } from './steps';
import type { Telling } from './steps';
import type { Story } from './story';

const ROOM: Telling = {
  title: '1  A hotel deposit',
  about: 'A guest checks in: the deposit is held on the card, the bill is taken from it, the rest goes back.',
  tell: async (stage, story) => {
    const hold = await ask(stage, story, 50_000, { description: 'Deposit for room 12' });
    await confirm(stage, story, hold);
    await story.step(
      32_000,
      ({ data }) => `captured at check-out: ${data.status}`,
      () => capture(stage.apiUrl, stage, hold, 32_000),
    );
    story.line(18_000, 'released to the guest with the same call');
    const executed = ['create', 'confirm', 'capture'];
    return end(stage, story, hold, { ...CAPTURED, captured: 32_000, released: 18_000, executed });
  },
};

const CANCELLED: Telling = {
  title: '2  A cancelled booking',
  about: 'The guest does not come: the hold is cancelled, nothing is taken.',
  tell: async (stage, story) => {
    const hold = await ask(stage, story, 24_000);
    await confirm(stage, story, hold);
    await story.step(
      24_000,
      ({ status }) => `released at once: ${status}`,
      () => cancelHold(stage.apiUrl, stage.seed.apiKey, hold, 'requested_by_customer'),
    );
    const executed = ['create', 'confirm', 'cancel'];
    return end(stage, story, hold, { ...RELEASED, status: 'canceled', released: 24_000, executed });
  },
};

const FORGOTTEN: Telling = {
  title: '3  A forgotten hold',
  about: 'Nobody captures and nobody cancels: after 4 seconds the hold gives the money back by itself.',
  tell: async (stage, story) => {
    const hold = await ask(stage, story, 15_000, { expires_in: 4 });
    await confirm(stage, story, hold);
    await story.step(
      15_000,
      ({ status }) => `released by the expiry timer: ${status}`,
      () => waitForHold(stage.apiUrl, stage.seed.apiKey, hold.pre_auth_no, ['expired'], WAIT_MS),
    );
    const executed = ['create', 'confirm', 'cancel'];
    const id = await end(stage, story, hold, { ...RELEASED, status: 'expired', released: 15_000, executed });
    const events = await stage.eventsOf(hold.pre_auth_no);
    const warnedFirst = events.slice(-2).join() === 'pre_auth.expiring,pre_auth.expired';
    story.check(warnedFirst, 'Events', events.map((type) => type.replace('pre_auth.', '')).join(', '));
    return id;
  },
};

const CRASHED: Telling = {
  title: '4  A crash in between',
  about:
    'The worker is killed with SIGKILL between hold and capture; the capture is asked for while it is dead.',
  tell: async (stage, story) => {
    const { apiUrl, worker } = await stage.victims();
    const hold = await ask(stage, story, 50_000, {}, apiUrl);
    await confirm(stage, story, hold);
    const pid = worker.pid();
    await story.step(undefined, `worker ${pid} killed with SIGKILL`, () => worker.kill());
    const startedAt = Date.now();
    const answering = capture(apiUrl, stage, hold, 20_000);
    story.line(20_000, 'capture asked for; nobody is there to carry it out');
    const both = Promise.all([
      answering,
      story.step(
        undefined,
        () => `worker ${worker.pid()} started in its place`,
        () => worker.restart(),
      ),
    ]);
    const [{ status, data }] = await both;
    story.line(20_000, `captured, ${status} to the same request: ${data.status}`, startedAt);
    story.line(30_000, 'released');
    const executed = ['create', 'confirm', 'capture'];
    return end(stage, story, hold, { ...CAPTURED, captured: 20_000, released: 30_000, executed });
  },
};

const SILENT: Telling = {
  title: '5  A silent Stripe',
  about:
    'Stripe executes the capture and never answers. Holdfast asks again under the same key, and pays once.',
  tell: async (stage, story) => {
    const hold = await ask(stage, story, 50_000);
    await confirm(stage, story, hold);
    await silenceCapture(stage, hold);
    story.line(32_000, 'capture asked for; Stripe executes it and says nothing');
    await story.step(
      32_000,
      ({ status, data }: Answer<Hold>) =>
        status === 202
          ? '202: accepted, the outcome is being asked for'
          : `settled by asking: ${data.status}`,
      () => capture(stage.apiUrl, stage, hold, 32_000),
    );
    story.line(18_000, 'released');
    const executed = ['create', 'confirm', 'capture'];
    const id = await end(stage, story, hold, { ...CAPTURED, captured: 32_000, released: 18_000, executed });
    const { calls } = await readBooks(stage.stripeUrl, id);
    const sent = calls.filter((call) => call.operation === 'capture');
    const keys = new Set(sent.map((call) => call.idempotency_key));
    const answered = sent.filter((call) => call.status === 200).length;
    story.check(
      sent.length > 1 && keys.size === 1 && answered === 1,
      'The capture',
      `sent ${sent.length} times under ${keys.size} key, executed once, answered ${answered} time`,
    );
    return id;
  },
};

export const HOLD_STORIES: readonly Telling[] = [ROOM, CANCELLED, FORGOTTEN, CRASHED, SILENT];

const CAPTURED = { status: 'succeeded', stripeStatus: 'succeeded' } as const;
const RELEASED = { stripeStatus: 'canceled', captured: 0 } as const;

async function silenceCapture(stage: Stage, hold: Hold): Promise<void> {
  const response = await fetch(`${stage.stripeUrl}/_sandbox/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      match: { operation: 'capture', payment_intent: hold.channel_pre_auth_no },
      fault: 'timeout_after',
      times: 1,
    }),
    signal: AbortSignal.timeout(WAIT_MS),
  });
  if (!response.ok) throw new Error(`the sandbox refused the fault: ${response.status}`);
}

/** Waits for the end, compares both sides, and returns the id of the hold's workflow. */
async function end(stage: Stage, story: Story, hold: Hold, ending: Ending): Promise<string> {
  const { apiUrl, stripeUrl, seed } = stage;
  const id = preAuthWorkflowId(seed.merchantId, hold.pre_auth_no);
  // A hold that never gets there is compared as it is: the check says so.
  const now = await waitForHold(apiUrl, seed.apiKey, hold.pre_auth_no, [ending.status], WAIT_MS).catch(() =>
    getHold(apiUrl, seed.apiKey, hold.pre_auth_no),
  );
  checkEnding(story, ending, now, await readBooks(stripeUrl, id));
  return id;
}
