/** `/_control/*` and `/_books`: what a test or the demo may do that no merchant can. JSON in, JSON out, no authentication. */
import { answerRoute, ok, switchRoutes } from '../sandbox/control';
import type { Route } from '../sandbox/control';
import type { Reply } from '../sandbox/http';
import { readBooks } from './books';
import { invoiceNotFound, pullPaymentNotFound } from './errors';
import type { BtcpayFaults } from './faults';
import { confirm, dropPayments, expire, mark, receive } from './invoices';
import type { Scene } from './invoices';
import { toSats } from './money';
import { archive, claim, movePayout, payoutsOf, refund } from './pull-payments';
import { paidSats, renderInvoice, renderPayout, renderPullPayment } from './render';
import { makeId } from './state';
import type { Invoice, JsonObject, Payout, PayoutState, PullPayment } from './types';

interface Asking {
  readonly scene: Scene;
  readonly faults: BtcpayFaults;
  readonly baseUrl: string;
  readonly defaults: { readonly storeId: string; readonly webhookSecret: string };
  readonly query: URLSearchParams;
  readonly input: JsonObject;
}

type ControlRequest = Asking & { readonly id: string };
type Handler = (request: ControlRequest) => Reply;

const refusedWith = (message: string): Reply => ({ status: 400, body: { code: 'control', message } });

/** Pays what is due, or `amount` of the invoice's currency; unconfirmed on chain, unless it is told otherwise. */
function pay(scene: Scene, invoice: Invoice, { amount, lightning, confirmed }: JsonObject): void {
  const due = Math.max(invoice.dueSats - paidSats(invoice), 0);
  const sats = typeof amount === 'string' ? toSats(amount, invoice.rate) : due;
  const payment = receive(scene, invoice, sats, lightning === true ? 'BTC-LN' : 'BTC-CHAIN');
  if (confirmed === true) confirm(scene, invoice, [payment]);
}

function onInvoice(action: (scene: Scene, invoice: Invoice, input: JsonObject) => void): Handler {
  return ({ scene, input, baseUrl, id }) => {
    const invoice = scene.state.invoices.get(id);
    if (invoice === undefined) throw invoiceNotFound();
    action(scene, invoice, input);
    return ok(renderInvoice(invoice, baseUrl));
  };
}

function onPull(action: (scene: Scene, pull: PullPayment, input: JsonObject) => void): Handler {
  return ({ scene, input, baseUrl, id }) => {
    const pull = scene.state.pulls.get(id);
    if (pull === undefined) throw pullPaymentNotFound();
    action(scene, pull, input);
    return ok({ ...renderPullPayment(pull, baseUrl), payouts: payoutsOf(scene, id).map(renderPayout) });
  };
}

const isLive = ({ state }: Payout) => state !== 'Completed' && state !== 'Cancelled';

/** Moves every claim that is not at its end; a completion passes through approval and sending. */
function moveAll(...states: readonly PayoutState[]): Handler {
  return onPull((scene, pull) => {
    for (const payout of payoutsOf(scene, pull.id).filter(isLive)) {
      for (const state of states) {
        if (state !== payout.state && !(state === 'AwaitingPayment' && payout.state === 'InProgress')) {
          movePayout(scene, payout, state);
        }
      }
    }
  });
}

function refundByHand({ scene, input, baseUrl, id }: ControlRequest): Reply {
  const invoice = scene.state.invoices.get(id);
  if (invoice === undefined) throw invoiceNotFound();
  const { amount: customAmount = invoice.amount, currency: customCurrency = invoice.currency } = input;
  const pull = refund(scene, invoice, { refundVariant: 'Custom', customAmount, customCurrency });
  return ok(renderPullPayment(pull, baseUrl));
}

/** The same url for the same store again replaces the webhook: a restart may register as often as it likes. */
function addWebhook({ scene, input, defaults }: ControlRequest): Reply {
  const { url, secret, store_id: storeId } = input;
  if (typeof url !== 'string' || !URL.canParse(url)) return refusedWith('url must be an address');
  const store = typeof storeId === 'string' ? storeId : defaults.storeId;
  const known = [...scene.state.webhooks.values()].find(
    (other) => other.url === url && other.storeId === store,
  );
  const id = known?.id ?? makeId();
  const webhook = {
    id,
    url,
    storeId: store,
    secret: typeof secret === 'string' ? secret : defaults.webhookSecret,
  };
  scene.state.save('webhook', id, webhook);
  return ok(webhook);
}

function removeWebhook({ scene, input }: ControlRequest): Reply {
  const gone = [...scene.state.webhooks.values()].filter(({ url }) => url === input['url']);
  for (const { id } of gone) scene.state.remove('webhook', id);
  return ok({ removed: gone.length });
}

function addKey({ scene, input, defaults }: ControlRequest): Reply {
  const { key, store_id: storeId, permissions } = input;
  if (typeof key !== 'string' || !Array.isArray(permissions))
    return refusedWith('key and permissions are needed');
  const store = typeof storeId === 'string' ? storeId : defaults.storeId;
  scene.state.save('key', key, { key, storeId: store, permissions: permissions.map(String) });
  return ok({ key });
}

function reset({ scene, faults, input }: ControlRequest): Reply {
  faults.clear();
  scene.events.deliveries.clear();
  scene.state.clear(input['keep_webhooks'] === true);
  return ok({ status: 'ok' });
}

const switchesOf = ({ scene, faults }: Asking) => ({ faults, deliveries: scene.events.deliveries });

const ROUTES: readonly Route<Asking>[] = [
  ...switchRoutes('_control', switchesOf, refusedWith),
  ['GET', /^\/_books$/, ({ scene, query }) => ok(readBooks(scene, query.get('holdfast_id') ?? undefined))],
  ['POST', /^\/_control\/reset$/, reset],
  ['POST', /^\/_control\/webhooks$/, addWebhook],
  ['DELETE', /^\/_control\/webhooks$/, removeWebhook],
  ['POST', /^\/_control\/api-keys$/, addKey],
  ['POST', /^\/_control\/invoices\/(\w+)\/pay$/, onInvoice(pay)],
  ['POST', /^\/_control\/invoices\/(\w+)\/confirm$/, onInvoice((scene, invoice) => confirm(scene, invoice))],
  ['POST', /^\/_control\/invoices\/(\w+)\/double-spend$/, onInvoice(dropPayments)],
  ['POST', /^\/_control\/invoices\/(\w+)\/expire$/, onInvoice(expire)],
  ['POST', /^\/_control\/invoices\/(\w+)\/mark$/, onInvoice((scene, invoice, { status }) => mark(scene, invoice, status))],
  ['POST', /^\/_control\/invoices\/(\w+)\/refund-by-hand$/, refundByHand],
  ['POST', /^\/_control\/pull-payments\/(\w+)\/claim$/, onPull((scene, pull, { amount }) => claim(scene, pull, typeof amount === 'string' ? amount : undefined))],
  ['POST', /^\/_control\/pull-payments\/(\w+)\/complete$/, moveAll('AwaitingPayment', 'InProgress', 'Completed')],
  ['POST', /^\/_control\/pull-payments\/(\w+)\/cancel-payout$/, moveAll('Cancelled')],
  ['POST', /^\/_control\/pull-payments\/(\w+)\/archive$/, onPull(archive)],
]; // prettier-ignore

/** undefined: no such address. @throws GreenfieldApiError when the state machine refuses an action */
export function answerControl(method: string, path: string, request: Asking): Reply | undefined {
  const answer = answerRoute(ROUTES, method, path, request);
  request.scene.state.flush();
  return answer;
}
