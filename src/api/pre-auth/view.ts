/** How a hold looks to its merchant. */
import type { z } from 'zod';
import type { CustomerStep } from '../../domain/channel';
import type { HoldFigures } from '../../domain/commands';
import { isClosed, isHeld } from '../../domain/pre-auth';
import { CUSTOMER_STEP_PURPOSE } from '../../stores/pre-auths';
import type { PreAuthRow, PreAuthWithWay, ShownPreAuth } from '../../stores/pre-auths';
import type { SecretBox } from '../../stores/secret-box';
import { readShownWay, showWay } from '../routing/way-view';
import type { PreAuthDeps } from './deps';
import type { cancelView, captureView, preAuthView } from './schemas';

const seconds = (date: Date) => Math.floor(date.getTime() / 1000);

/** A hold that is asked for by itself: with the way it took to its channel. */
export async function showWholePreAuth(
  { db, box }: Pick<PreAuthDeps, 'db' | 'box'>,
  row: PreAuthRow,
): Promise<z.infer<typeof preAuthView>> {
  const object = { merchantId: row.merchant_id, kind: 'pre_auth', no: row.pre_auth_no } as const;
  return { ...showPreAuth(row, box), ...(await readShownWay(db, object)) };
}

/** The same of a hold that was read with its way. */
export function showPreAuthWithWay(
  box: SecretBox,
  { row, way }: PreAuthWithWay,
): z.infer<typeof preAuthView> {
  return { ...showPreAuth(row, box), ...showWay(way) };
}

/** @param box opens the customer's step; without it (lists) the secret stays closed */
export function showPreAuth(row: ShownPreAuth, box?: SecretBox): z.infer<typeof preAuthView> {
  const step = box === undefined ? {} : customerStepOf(row, box);
  return {
    pre_auth_no: row.pre_auth_no,
    channel_pre_auth_no: row.channel_pre_auth_no,
    ...(step.clientSecret !== undefined ? { client_secret: step.clientSecret } : {}),
    status: row.status,
    expires_at: seconds(row.expires_at),
    channel: row.channel,
    order_no: row.order_no,
    amount: row.amount,
    currency: row.currency,
    amount_capturable: row.amount_capturable,
    amount_captured: row.amount_captured,
    ...(step.nextAction !== undefined ? { next_action: step.nextAction } : {}),
    ...(row.description !== null ? { description: row.description } : {}),
    metadata: row.metadata,
    ...(row.decline_code !== null ? { decline_code: row.decline_code } : {}),
    created_at: seconds(row.created_at),
    ...(row.closed_at !== null ? { closed_at: seconds(row.closed_at) } : {}),
  };
}

/** The secret is shown only while the customer still has something to do with it. */
function customerStepOf(row: ShownPreAuth, box: SecretBox): CustomerStep {
  if (row.customer_step_sealed === null || isClosed(row.status) || isHeld(row.status)) return {};
  return JSON.parse(box.open(row.customer_step_sealed, CUSTOMER_STEP_PURPOSE)) as CustomerStep;
}

export function showCapture(
  row: PreAuthRow,
  { amount, hold }: { readonly amount: number; readonly hold: HoldFigures },
): z.infer<typeof captureView> {
  return {
    pre_auth_no: row.pre_auth_no,
    channel_pre_auth_no: hold.channelPreAuthNo,
    // At the channels we have, a capture has no number of its own: the trade is the hold's object.
    channel_trade_no: hold.channelPreAuthNo,
    status: hold.status,
    amount,
    currency: row.currency,
    amount_captured: hold.amountCaptured,
    amount_capturable: hold.amountCapturable,
  };
}

export function showCancel(row: PreAuthRow, hold: HoldFigures): z.infer<typeof cancelView> {
  return {
    pre_auth_no: row.pre_auth_no,
    channel_pre_auth_no: hold.channelPreAuthNo,
    status: hold.status,
    amount_captured: hold.amountCaptured,
    amount_released: isClosed(hold.status) ? row.amount - hold.amountCaptured : 0,
  };
}
