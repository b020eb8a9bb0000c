/**
 * One notification that its endpoint did not take at once: waits as the row says, attempts, and goes on until the row
 * is settled or the relay carries it again. The row decides everything; the workflow gives it time.
 */
import { CancellationScope, condition, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { RetryStep } from '../activities/deliver';
import * as messages from './messages';
import type { WebhookDeliveryArgs } from './messages';
import { attemptRetry, giveUp } from './webhook-activity-proxies';

/** Whoever else holds the row, it is not asked about more often than this. */
const MIN_WAIT_MS = 1_000;

/** @returns the row's status at the end, or `handed back` when the relay carries the notification on */
export async function webhookDelivery(args: WebhookDeliveryArgs): Promise<string> {
  const desk = new DeliveryDesk(args);
  // "Request Cancellation" in the Web UI means the same as give_up: a row without an owner would only be swept up again.
  CancellationScope.current().cancelRequested.catch(() => desk.askGiveUp('cancellation requested'));
  return CancellationScope.nonCancellable(() => carry(args, desk));
}

async function carry({ notificationId }: WebhookDeliveryArgs, desk: DeliveryDesk): Promise<string> {
  for (;;) {
    const pauseMs = desk.nextRetryAtMs - Date.now();
    if (pauseMs > 0) await condition(() => desk.hasWork, pauseMs, { summary: desk.pauseSummary(pauseMs) });
    if (desk.giveUpReason !== null) {
      const { status } = await giveUp(notificationId, desk.giveUpReason);
      desk.end(status);
      return status;
    }
    const summary = desk.attemptSummary;
    const step = await attemptRetry(summary, notificationId, desk.begin());
    desk.finish(step);
    // Whatever was said meanwhile is looked at before the end. That also makes starting this workflow safe at any
    // moment: who finds it running wakes it, and it either sees the new row or has closed before and is started anew.
    if (desk.hasWork) continue;
    if (step.kind === 'ended') return step.status;
    if (step.kind === 'handed_back') return 'handed back';
  }
}

/** Takes what operators and the relay say, and shows how far the delivery is. Handlers only note; `carry` acts. */
class DeliveryDesk {
  /** By the clock of the workflow, which is Temporal's. */
  nextRetryAtMs: number;
  giveUpReason: string | null = null;
  private attempts: number;
  private lastAnswer: string | null = null;
  /** How it ended, once it has. */
  private ended: string | null = null;
  private attemptRunning = false;
  private retryNow = false;
  private woken = false;

  constructor(private readonly args: WebhookDeliveryArgs) {
    this.attempts = args.attempts;
    this.nextRetryAtMs = Date.now() + args.pauseMs;
    setHandler(messages.retryNowSignal, () => void (this.retryNow = true), {
      description: 'Attempt the delivery now instead of at the end of the pause; no input.',
    });
    setHandler(messages.giveUpSignal, (input) => this.askGiveUp(reasonOf(input)), {
      description:
        'Stop: the notification ends as failed, the merchant can recover it. {"reason": "why"}; may be empty.',
    });
    setHandler(messages.wakeSignal, () => void (this.woken = true), {
      description: 'For Holdfast itself: look at the row again; no input.',
    });
    setHandler(messages.statusQuery, () => this.state(), {
      description: 'Attempts so far, the last answer, when the next attempt is due.',
    });
    this.show();
  }

  get hasWork(): boolean {
    return this.giveUpReason !== null || this.retryNow || this.woken;
  }

  askGiveUp(reason: string): void {
    this.giveUpReason ??= reason;
  }

  /** @returns whether an operator wants the attempt although it may not be due */
  begin(): boolean {
    const force = this.retryNow;
    this.retryNow = false;
    this.woken = false;
    this.attemptRunning = true;
    return force;
  }

  end(status: string): void {
    this.ended = status;
    this.show();
  }

  finish(step: RetryStep): void {
    this.attemptRunning = false;
    if (step.kind === 'retry') {
      this.attempts = step.attempts;
      this.nextRetryAtMs = Date.now() + step.pauseMs;
      this.lastAnswer = step.lastAnswer;
      // What was asked for while it ran has just been done; asking once more must not cost two attempts.
      this.retryNow = false;
    } else if (step.kind === 'wait') {
      this.nextRetryAtMs = Date.now() + Math.max(step.pauseMs, MIN_WAIT_MS);
    } else {
      return this.end(step.kind === 'ended' ? step.status : 'handed back: the relay carries it on');
    }
    this.ended = null;
    this.show();
  }

  pauseSummary(pauseMs: number): string {
    return `retry ${this.attempts} of ${this.args.maxAttempts - 1} in ${duration(pauseMs)}`;
  }

  get attemptSummary(): string {
    return `retry ${this.attempts} of ${this.args.maxAttempts - 1} to ${this.args.endpointHost}`;
  }

  private state(): messages.WebhookDeliveryState {
    const { attempts, attemptRunning, nextRetryAtMs, lastAnswer } = this;
    return { attempts, attemptRunning, nextRetryAtMs, lastAnswer };
  }

  /** What an operator sees first in the Web UI. */
  private show(): void {
    const { event, merchantId, paymentNo, endpointHost, maxAttempts } = this.args;
    const next = new Date(this.nextRetryAtMs).toISOString().replace(/\.\d+Z$/, 'Z');
    setCurrentDetails(
      [
        `**${event}** of \`${paymentNo}\` to \`${endpointHost}\``,
        '',
        `- **Merchant:** \`${merchantId}\``,
        `- **Attempts:** ${this.attempts} of ${maxAttempts}`,
        `- **Last answer:** ${this.lastAnswer ?? 'see the attempts in the API'}`,
        ...(this.ended === null ? [`- **Waits for:** its next attempt at ${next}`, '', ...ACTIONS] : []),
        ...(this.ended === null ? [] : [`- **Ended:** ${this.ended}`]),
      ].join('\n'),
    );
  }
}

const ACTIONS = [
  ...['**What you can do**', ''],
  '- Attempt it now: signal `retry_now`, no input.',
  '- Stop: signal `give_up` with `{"reason": "why"}`, or Request Cancellation; the merchant can recover it.',
];

/** The Web UI sends a JSON value or nothing, and people type a bare text where `{"reason": ...}` was meant. */
function reasonOf(input: unknown): string {
  const reason = typeof input === 'object' && input !== null ? (input as { reason?: unknown }).reason : input;
  return typeof reason === 'string' ? reason : '';
}

function duration(ms: number): string {
  const seconds = Math.max(Math.round(ms / 1_000), 1);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
