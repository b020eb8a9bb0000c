/** Satoshis and decimal strings. Rates are whole numbers, so that a test can compute with them in its head. */
const SATS_PER_COIN = 100_000_000n;

/** Invoice currency per bitcoin. What is not here has no rate, and no invoice can be made out in it. */
export const RATES: Readonly<Record<string, number>> = {
  USD: 50_000,
  EUR: 45_000,
  GBP: 40_000,
  CHF: 44_000,
  JPY: 7_500_000,
  KRW: 65_000_000,
  INR: 4_200_000,
  CNY: 360_000,
  BTC: 1,
};

export const DECIMAL = /^\d{1,20}(\.\d{1,20})?$/;

/** `12.345` as units of 10^-scale, which must hold it. */
function toUnits(text: string, scale: number): bigint {
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(scale, '0'));
}

const SCALE = 20;

/** Rounded up to whole satoshis, as BTCPay asks for them. */
export function toSats(amount: string, rate: string): number {
  const scaled = toUnits(amount, SCALE) * SATS_PER_COIN;
  const divisor = BigInt(rate) * 10n ** BigInt(SCALE);
  return Number((scaled + divisor - 1n) / divisor);
}

export function formatSats(sats: number): string {
  const sign = sats < 0 ? '-' : '';
  const digits = String(Math.abs(sats)).padStart(9, '0');
  return `${sign}${digits.slice(0, -8)}.${digits.slice(-8)}`;
}

/** a >= b of decimal strings. */
export function isAtLeast(a: string, b: string): boolean {
  return toUnits(a, SCALE) >= toUnits(b, SCALE);
}

export function addDecimals(texts: readonly string[]): string {
  const sum = texts.reduce((total, text) => total + toUnits(text, SCALE), 0n);
  const digits = sum.toString().padStart(SCALE + 1, '0');
  return `${digits.slice(0, -SCALE)}.${digits.slice(-SCALE)}`.replace(/\.?0+$/, '');
}
