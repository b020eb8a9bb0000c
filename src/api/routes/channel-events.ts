/** Where channels send their events: verified by the channel's own method, stored once, acknowledged only when stored. */
import { z } from 'zod';
import { ChannelFault, CHANNELS, InvalidEventSignature } from '../../domain/channel';
import type { ChannelAdapter, InboundEvent } from '../../domain/channel';
import { fail } from '../../domain/errors';
import type { Logger } from '../../observability/logger';
import type { OpenAccountDirectory } from '../../stores/account-directory';
import {
  EVENT_BODY_PURPOSE,
  markProcessed,
  matchEvent,
  storeChannelEvent,
  workflowToTell,
} from '../../stores/channel-events';
import type { Database } from '../../stores/postgres';
import type { SecretBox } from '../../stores/secret-box';
import type { ObjectGateway } from '../../temporal/object-gateway';
import { defineRoute } from '../route';
import type { Route } from '../route';

const MAX_EVENT_BYTES = 1024 * 1024;
const RECEIVED = { contentType: 'application/json', body: '{"received":true}' };

export interface ChannelEventDeps {
  readonly db: Database;
  readonly box: SecretBox;
  readonly log: Logger;
  readonly accounts: OpenAccountDirectory;
  readonly workflows: Pick<ObjectGateway, 'resync'>;
}

export function channelEventRoutes(deps: ChannelEventDeps): Route[] {
  const receive = defineRoute({
    method: 'post',
    path: '/api/v1/channels/{channel}/{account}/events',
    priority: 'exempt',
    tag: 'Channels',
    auth: 'none',
    summary: 'Receive an event from a channel',
    description: 'Called by the channel, not by merchants; authenticated by the signature of the event.',
    request: { params: z.strictObject({ channel: z.enum(CHANNELS), account: z.uuid() }) },
    rawBody: { maxBytes: MAX_EVENT_BYTES },
    isKnown: ({ account }) => deps.accounts.isKnown(String(account)),
    responses: {
      200: {
        description: 'Stored. Where the channel asks for other words (Alipay: the text `success`), these.',
        contentType: 'application/json',
        schema: z.object({ received: z.literal(true) }),
      },
    },
    errors: ['NOT_FOUND', 'RATE_LIMIT_EXCEEDED', 'SIGNATURE_INVALID', 'TEMPORARILY_UNAVAILABLE'],
    async handler({ params, rawBody, headers }) {
      const adapter = await deps.accounts(params.account);
      if (adapter === undefined || adapter.channel !== params.channel) throw fail('NOT_FOUND');
      const event = await parse(adapter, rawBody, headers as Record<string, string | undefined>);
      const id = await storeChannelEvent(deps.db, {
        accountId: params.account,
        eventId: event.eventId,
        type: event.type.slice(0, 100),
        subject: event.subject,
        // Another system on the same account may put anything into its metadata: what cannot be ours is not kept.
        objectId: printable(event.objectId, 255),
        channelRefundNo: printable(event.channelRefundNo, 255),
        holdfastId: printable(event.holdfastId, 200),
        causedByKey: printable(event.causedByKey, 255),
        bodySealed: deps.box.seal(rawBody.toString('utf8'), EVENT_BODY_PURPOSE),
      });
      // A repeat was told before, or the pick-up does it; an echo of our own call has nothing to tell.
      if (id !== undefined) await tell(deps, params.account, id, event);
      return { status: 200, raw: adapter.acknowledgement ?? RECEIVED };
    },
  });
  return [receive];
}

function printable(text: string | undefined, maxLength: number): string | undefined {
  return text !== undefined && text.length <= maxLength && /^[\x21-\x7e]+$/.test(text) ? text : undefined;
}

async function parse(
  adapter: ChannelAdapter,
  rawBody: Buffer,
  headers: Record<string, string | undefined>,
): Promise<InboundEvent> {
  try {
    return await adapter.parseInboundEvent(rawBody, headers);
  } catch (error) {
    if (error instanceof InvalidEventSignature) throw fail('SIGNATURE_INVALID');
    // What verifies it cannot be had now: the channel sends it again.
    if (error instanceof ChannelFault) throw fail('TEMPORARILY_UNAVAILABLE');
    throw error;
  }
}

/** Tells the workflow that reads the object again. Whatever fails here is carried on by the pick-up: the event is stored. */
async function tell(
  deps: ChannelEventDeps,
  accountId: string,
  id: number,
  event: InboundEvent,
): Promise<void> {
  try {
    const { subject, objectId = null, channelRefundNo = null, holdfastId = null } = event;
    const match = await matchEvent(deps.db, { accountId, subject, objectId, channelRefundNo, holdfastId });
    const told = match === undefined ? undefined : workflowToTell(match, subject);
    // While a call of ours is under way its answer says the same, and news that reaches a workflow in the moment it
    // closes would throw its task away. The pick-up comes back to these.
    if (told === undefined || told.busy) return;
    await deps.workflows.resync(told.object);
    await markProcessed(deps.db, id);
  } catch (error) {
    deps.log.warn({ err: error, channelEvent: id }, 'a channel event waits for the pick-up');
  }
}
