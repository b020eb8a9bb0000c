/** The paths through a hold's life that are recorded, each driven from outside as merchants, customers and operators do. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';

export interface HoldUnderTest {
  readonly number: string;
  channelNo: string;
  clientSecret: string;
}

/** What a path may do. Every command answers with its HTTP status. */
export interface Studio {
  readonly hold: HoldUnderTest;
  readonly workflow: WorkflowHandle;
  sandbox(address: string, body: object): Promise<unknown>;
  /** A fault that concerns this hold only. */
  fault(operation: string, fault: string, more?: object): Promise<unknown>;
  create(fields?: object): Promise<number>;
  /** The customer's part. */
  confirm(card?: string): Promise<void>;
  command(verb: 'capture' | 'cancel', body?: object): Promise<number>;
  /** Waits until the row has this status. */
  reach(status: string): Promise<void>;
  /** The channel refuses the account's key from now on. */
  breakAccount(): Promise<void>;
  mendAccount(): Promise<void>;
}

export interface HistoryPath {
  readonly name: string;
  /** Whose account is used: the platform's, or one of the merchant's own. */
  readonly account: 'platform' | 'own' | 'multiple-captures';
  /** What the workflow returns. */
  readonly ends: string;
  readonly drive: (studio: Studio) => Promise<void>;
}

function expectStatus(what: string, actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`${what} answered ${actual}, not ${expected}`);
}

/** A hold that its customer has confirmed, as far as our own row knows. */
async function held(studio: Studio, fields: object = {}, card?: string): Promise<void> {
  expectStatus('create', await studio.create(fields), 201);
  await studio.confirm(card);
  await studio.reach('requires_capture');
}

const capturePart = async (studio: Studio): Promise<void> => {
  await held(studio);
  expectStatus('capture', await studio.command('capture', { amount: 32_000 }), 200);
};

const refuseEarlyCapture = async (studio: Studio): Promise<void> => {
  expectStatus('create', await studio.create(), 201);
  expectStatus('early capture', await studio.command('capture'), 409);
  await studio.confirm();
  expectStatus('capture', await studio.command('capture'), 200);
};

const loseCaptureAnswer = async (studio: Studio): Promise<void> => {
  await held(studio);
  await studio.fault('capture', 'timeout_after', { times: 1 });
  const status = await studio.command('capture', { amount: 32_000 });
  if (status !== 200 && status !== 202) throw new Error(`capture answered ${status}`);
};

const failRelease = async (studio: Studio): Promise<void> => {
  await held(studio);
  await studio.fault('cancel', 'error_before', { times: 6 });
  const status = await studio.command('cancel');
  if (status !== 200 && status !== 202) throw new Error(`cancel answered ${status}`);
};

const refuseRelease = async (studio: Studio): Promise<void> => {
  // The worker keeps an account's credentials for 5 s.
  expectStatus('create', await studio.create({ expires_in: 6 }), 201);
  await studio.breakAccount();
  await sleep(8_000);
  await studio.mendAccount();
};

const declineCreate = async (studio: Studio): Promise<void> => {
  await studio.breakAccount();
  expectStatus('create', await studio.create(), 402);
};

const captureTwice = async (studio: Studio): Promise<void> => {
  expectStatus('create', await studio.create(), 201);
  await studio.confirm();
  const first = { amount: 20_000, final: false };
  expectStatus('first capture', await studio.command('capture', first), 200);
  await studio.workflow.signal('capture', { amount: 30_001, by: 'operator' });
  expectStatus('last capture', await studio.command('capture', { amount: 5_000 }), 200);
};

const misspellThenCancel = async (studio: Studio): Promise<void> => {
  await held(studio);
  await studio.workflow.signal('capture', { amout: 100 });
  await studio.workflow.signal('settle', { by: 'operator', reason: 'none waits', outcome: 'executed' });
  await studio.workflow.signal('cancel', { by: 'operator', reason: 'guest left' });
};

export const HISTORY_PATHS: readonly HistoryPath[] = [
  { name: 'captured-in-part', account: 'platform', ends: 'succeeded', drive: capturePart },
  {
    name: 'canceled',
    account: 'platform',
    ends: 'canceled',
    async drive(studio) {
      await held(studio);
      expectStatus('cancel', await studio.command('cancel', { reason: 'guest left' }), 200);
    },
  },
  {
    name: 'expired-unconfirmed',
    account: 'platform',
    ends: 'expired',
    drive: async (studio) => expectStatus('create', await studio.create({ expires_in: 2 }), 201),
  },
  {
    name: 'expired-after-warning',
    account: 'platform',
    ends: 'expired',
    drive: (studio) => held(studio, { expires_in: 4 }),
  },
  {
    name: 'capture-declined-then-expired',
    account: 'platform',
    ends: 'expired',
    async drive(studio) {
      await held(studio, { expires_in: 5 }, 'pm_card_captureDeclined');
      expectStatus('capture', await studio.command('capture'), 402);
    },
  },
  { name: 'capture-answer-lost', account: 'platform', ends: 'succeeded', drive: loseCaptureAnswer },
  {
    name: 'create-failed-after',
    account: 'platform',
    ends: 'canceled',
    async drive(studio) {
      await studio.fault('create', 'error_after');
      const status = await studio.create();
      if (status !== 201 && status !== 202) throw new Error(`create answered ${status}`);
      await studio.reach('requires_payment_method');
      expectStatus('cancel', await studio.command('cancel'), 200);
    },
  },
  { name: 'create-declined', account: 'own', ends: 'failed', drive: declineCreate },
  {
    name: 'canceled-in-web-ui',
    account: 'platform',
    ends: 'canceled',
    async drive(studio) {
      await held(studio);
      await studio.workflow.cancel();
    },
  },
  {
    name: 'captured-by-operator',
    account: 'platform',
    ends: 'succeeded',
    async drive(studio) {
      await held(studio);
      await studio.workflow.signal('capture');
    },
  },
  { name: 'operator-input-refused', account: 'platform', ends: 'canceled', drive: misspellThenCancel },
  {
    name: 'captured-before-confirmation',
    account: 'platform',
    ends: 'succeeded',
    drive: refuseEarlyCapture,
  },
  { name: 'captured-twice', account: 'multiple-captures', ends: 'succeeded', drive: captureTwice },
  {
    name: 'rest-expired-after-capture',
    account: 'multiple-captures',
    ends: 'succeeded',
    async drive(studio) {
      expectStatus('create', await studio.create({ expires_in: 4 }), 201);
      await studio.confirm();
      expectStatus('capture', await studio.command('capture', { amount: 20_000, final: false }), 200);
    },
  },
  { name: 'release-failed-then-repeated', account: 'platform', ends: 'canceled', drive: failRelease },
  { name: 'release-refused-then-retried', account: 'own', ends: 'expired', drive: refuseRelease },
  {
    name: 'canceled-in-dashboard',
    account: 'platform',
    ends: 'canceled',
    async drive(studio) {
      await held(studio);
      await studio.sandbox(`payment_intents/${studio.hold.channelNo}/cancel-by-dashboard`, {});
    },
  },
  {
    name: 'captured-in-dashboard-before-cancel',
    account: 'own',
    ends: 'succeeded',
    async drive(studio) {
      expectStatus('create', await studio.create(), 201);
      await studio.confirm();
      await studio.sandbox(`payment_intents/${studio.hold.channelNo}/capture-by-dashboard`, {
        amount: 10_000,
      });
      expectStatus('cancel', await studio.command('cancel'), 409);
    },
  },
];
