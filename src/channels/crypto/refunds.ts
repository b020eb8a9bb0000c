/**
 * Refunds are pull payments: a promise of an amount that the customer claims to an address of its own. A create looks
 * for its name first, as payments.ts does with the orderId, and for the same reason a second time afterwards. BTCPay
 * does not compare a refund's amount with what was paid, so that is done here.
 */
import { ChannelFault } from '../../domain/channel';
import type { CallIdentity, Exchange } from '../../domain/channel';
import type {
  CreateRefundRequest,
  RefundAnswer,
  RefundSnapshot,
  RefundTarget,
} from '../../domain/channel-payment';
import { toCryptoAmount } from './amounts';
import type { GreenfieldClient, Send } from './client';
import { attempt, beforeMoney, isDecline, read } from './errors';
import { dashboardRefundName, describeRefund, readRefundDescription, refundNameOf } from './identity';
import { decline, sumOf, toRefundSnapshot, toSnapshot } from './mapping';
import type { Store } from './store';
import type { PaymentMethods, PullPayment } from './wire';

/** What a pull payment is measured by: the invoice it belongs to. */
interface Measure {
  readonly invoiceId: string;
  readonly currency: string;
  readonly ceiling: number;
  readonly methods: PaymentMethods;
}

interface Refund {
  readonly pull: PullPayment;
  readonly snapshot: RefundSnapshot;
}

async function listPulls(store: Store, send: Send, invoiceId: string): Promise<readonly PullPayment[]> {
  const byHand = dashboardRefundName(invoiceId);
  const pulls = await store.listPullPayments(send);
  return pulls.filter(
    ({ name, description }) =>
      readRefundDescription(description ?? '')?.invoiceId === invoiceId || name === byHand,
  );
}

async function toRefund(store: Store, send: Send, pull: PullPayment, measure: Measure): Promise<Refund> {
  const payouts = await store.listPayouts(send, pull.id);
  return { pull, snapshot: toRefundSnapshot(pull, payouts, measure) };
}

async function readAll(store: Store, send: Send, measure: Measure): Promise<readonly Refund[]> {
  const pulls = await listPulls(store, send, measure.invoiceId);
  return Promise.all(pulls.map((pull) => toRefund(store, send, pull, measure)));
}

/** All refunds of an invoice, ours and those made in the dashboard. @throws GreenfieldError */
export async function readRefunds(
  store: Store,
  send: Send,
  measure: Measure,
): Promise<readonly RefundSnapshot[]> {
  return (await readAll(store, send, measure)).map(({ snapshot }) => snapshot);
}

export async function listRefunds(
  client: GreenfieldClient,
  store: Store,
  target: RefundTarget,
  exchange: Exchange,
): Promise<readonly RefundSnapshot[]> {
  const send = client.begin(exchange);
  const { channelNo: invoiceId, currency, amount: ceiling } = target;
  const found = await read(async () => {
    const methods = await store.getPaymentMethods(send, invoiceId);
    return readRefunds(store, send, { invoiceId, currency, ceiling, methods });
  });
  return found ?? [];
}

export async function createRefund(
  client: GreenfieldClient,
  store: Store,
  request: CreateRefundRequest,
  call: CallIdentity,
  exchange: Exchange,
): Promise<RefundAnswer> {
  const amount = toCryptoAmount(request);
  if ('refusal' in amount) return decline('invalid_amount', 'not-expressible');
  const send = client.begin(exchange);
  const before = await beforeMoney(() => prepare(store, send, request, call));
  if (before.kind !== 'ready') return before;
  const { refundNo, target } = request;
  const { holdfastId, holdfastCall } = call;
  const pull = await attempt(() =>
    store.refund(send, target.channelNo, {
      name: refundNameOf(call),
      description: describeRefund({ invoiceId: target.channelNo, refundNo, holdfastId, holdfastCall }),
      refundVariant: 'Custom',
      customAmount: amount.amount,
      customCurrency: request.currency,
    }),
  );
  if (isDecline(pull)) return pull;
  return secondLook(store, send, call, pull, before.measure);
}

type Ready = { readonly kind: 'ready'; readonly measure: Measure };

/** Answers what is there already, or why there can be no such refund, or that it may be made. */
async function prepare(
  store: Store,
  send: Send,
  request: CreateRefundRequest,
  call: CallIdentity,
): Promise<RefundAnswer | Ready> {
  const invoiceId = request.target.channelNo;
  const [invoice, methods] = await Promise.all([
    store.getInvoice(send, invoiceId),
    store.getPaymentMethods(send, invoiceId),
  ]);
  const { currency, amountPaid } = toSnapshot(invoice, methods, []);
  const measure = { invoiceId, currency, ceiling: amountPaid, methods };
  const refunds = await readAll(store, send, measure);
  const known = await keepOne(store, send, refunds, call);
  if (known !== undefined) {
    if (known.snapshot.amount === request.amount && currency === request.currency)
      return toRefundAnswer(known.snapshot);
    throw new ChannelFault('maybe_executed', 'identity_reused');
  }
  if (currency !== request.currency) return decline('invalid_currency', 'currency-of-invoice');
  if (amountPaid === 0) return decline('invalid_state', 'nothing-paid');
  const given = sumOf(refunds.map(({ snapshot }) => snapshot).filter(({ status }) => status !== 'failed'));
  if (given + request.amount > amountPaid) return decline('invalid_amount', 'refund-exceeds-paid');
  return { kind: 'ready', measure };
}

/** Of several with this call's name the earliest that can be claimed stays; others nobody has claimed are archived. */
async function keepOne(
  store: Store,
  send: Send,
  refunds: readonly Refund[],
  call: CallIdentity,
): Promise<Refund | undefined> {
  const name = refundNameOf(call);
  const startOf = ({ pull }: Refund) => pull.startsAt ?? 0;
  const [kept, ...others] = refunds
    .filter(({ pull }) => pull.name === name)
    .sort(
      (a, b) =>
        Number(a.pull.archived) - Number(b.pull.archived) ||
        startOf(a) - startOf(b) ||
        (a.pull.id < b.pull.id ? -1 : 1),
    );
  for (const { pull, snapshot } of others) {
    if (!pull.archived && snapshot.status === 'pending') {
      await attempt(async () => {
        await store.archivePullPayment(send, pull.id);
        return {};
      });
    }
  }
  return kept;
}

/** The pull payment exists, whatever becomes of this look: a fault here must not lose the answer. */
async function secondLook(
  store: Store,
  send: Send,
  call: CallIdentity,
  created: PullPayment,
  measure: Measure,
): Promise<RefundAnswer> {
  const fresh = toRefundAnswer(toRefundSnapshot(created, [], measure));
  try {
    const kept = await keepOne(store, send, await readAll(store, send, measure), call);
    return kept === undefined ? fresh : toRefundAnswer(kept.snapshot);
  } catch {
    return fresh;
  }
}

function toRefundAnswer(snapshot: RefundSnapshot): RefundAnswer {
  const isDone = snapshot.status === 'succeeded' || snapshot.status === 'failed';
  return { kind: isDone ? 'done' : 'pending', snapshot };
}
