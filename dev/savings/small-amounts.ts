/** What one order costs at two channels, by its size: whether "85 % and more is saved on small amounts" is true. */
import { compileConfig } from '../../src/domain/routing/config';
import { estimateFee } from '../../src/domain/routing/cost';
import { DEFAULT_POLICY } from '../../src/domain/routing/default-config';
import type { RoutingConfig } from '../../src/domain/routing/types';
import { grouped, percent } from './amounts';
import { aligned } from './table';

/** 10.00 to 10 000.00 */
const AMOUNTS = [1_000, 10_000, 100_000, 1_000_000];
const CURRENCY = 'USD';
const CLAIMED_BASIS_POINTS = 8_500;

/** @returns lines: a table, and one sentence on the claim */
export function smallAmounts(config: RoutingConfig): readonly string[] {
  const { byId } = compileConfig(config, DEFAULT_POLICY);
  const feeAt = (channel: string, amount: number) => {
    const fees = byId.get(channel)?.fees;
    const fee = fees && estimateFee(fees, { amount, currency: CURRENCY }, undefined);
    if (fee === undefined) throw new Error(`${channel} has no price for ${CURRENCY}`);
    return fee;
  };
  const rows = AMOUNTS.map((amount) => {
    const [stripe, alipay] = [feeAt('stripe', amount), feeAt('alipay', amount)];
    return { amount, stripe, alipay, share: Math.round(((stripe - alipay) * 10_000) / stripe) };
  });
  const show = (minor: number) => grouped(BigInt(minor), CURRENCY);
  const rounded = (share: number) => percent(Math.round(share / 10) * 10);
  const told = (fits: boolean) =>
    rows
      .filter(({ share }) => share >= CLAIMED_BASIS_POINTS === fits)
      .map(({ amount, share }) => `${show(amount)} (${rounded(share)})`)
      .join(', ');
  return [
    ...aligned(
      [
        [`one order, ${CURRENCY}`, 'stripe', 'alipay', 'saved', 'share'],
        ...rows.map(({ amount, stripe, alipay, share }) => [
          ...[show(amount), show(stripe), show(alipay), show(stripe - alipay), rounded(share)],
        ]),
      ],
      0,
    ),
    '',
    `85 % and more is saved at ${told(true)}; less at ${told(false)}.`,
  ];
}
