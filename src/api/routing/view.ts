/** Routing's configuration as operators see it. */
import { CHANNELS } from '../../domain/channel';
import type { ChannelName } from '../../domain/channel';
import { DEFAULT_CHANNELS } from '../../domain/routing/default-config';
import type { AuditRow } from '../../stores/routing-audit';
import { storedSettingsOf } from '../../stores/routing-config';
import type { ChannelRow, FeeRow, MerchantRow, RuleRow } from '../../stores/routing-rows';

/** A channel nobody has configured shows its built-in settings, under version 0. */
export function showChannel(channel: ChannelName, row: ChannelRow | undefined): unknown {
  return {
    channel,
    source: row === undefined ? 'built_in' : 'database',
    settings: row?.settings ?? storedSettingsOf(DEFAULT_CHANNELS[channel]),
    version: row?.version ?? 0,
    updated_at: row?.updated_at.toISOString() ?? null,
  };
}

export function showChannels(rows: readonly ChannelRow[]): unknown[] {
  return CHANNELS.map((channel) =>
    showChannel(
      channel,
      rows.find((row) => row.channel === channel),
    ),
  );
}

function timesOf({ version, created_at, updated_at }: FeeRow | RuleRow) {
  return { version, created_at: created_at.toISOString(), updated_at: updated_at.toISOString() };
}

export function showFee(row: FeeRow): unknown {
  const { id, channel, account_id, currency, country, basis_points, fixed_minor } = row;
  return { id, channel, account_id, currency, country, basis_points, fixed_minor, ...timesOf(row) };
}

export function showRule(row: RuleRow): unknown {
  const { id, order, enabled, merchant_id, currency, country, min_amount, max_amount, channel, weight } = row;
  const what = {
    id,
    order,
    enabled,
    merchant_id,
    currency,
    country,
    min_amount,
    max_amount,
    channel,
    weight,
  };
  return { ...what, ...timesOf(row) };
}

export function showMerchantRouting(merchantId: string, row: MerchantRow | undefined): unknown {
  return {
    merchant_id: merchantId,
    mode: row?.mode ?? null,
    smart: row?.smart ?? null,
    version: row?.version ?? 0,
    updated_at: row?.updated_at.toISOString() ?? null,
  };
}

export function showAudit({ created_at_micros: _, created_at, ...row }: AuditRow): unknown {
  return { ...row, created_at: created_at.toISOString() };
}
