/** Sums of money for people to read: `1 000 000.00`, the currency stands elsewhere. */
import { currencyExponent } from '../../src/domain/money';

/** @param minor of the currency's minor unit, may be negative */
export function grouped(minor: bigint, currency: string): string {
  const exponent = currencyExponent(currency) ?? 2;
  const digits = String(minor < 0n ? -minor : minor).padStart(exponent + 1, '0');
  const whole = thousands(digits.slice(0, digits.length - exponent));
  const fraction = exponent === 0 ? '' : `.${digits.slice(-exponent)}`;
  return `${minor < 0n ? '-' : ''}${whole}${fraction}`;
}

/** Digits in groups of three. */
export function thousands(count: number | string): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ' ');
}

/** @param basisPoints hundredths of a percent @returns one decimal where that is exact, else two: `52.5 %`, `81.25 %` */
export function percent(basisPoints: number): string {
  const digits = basisPoints % 10 === 0 ? 1 : 2;
  return `${(basisPoints / 100).toFixed(digits)} %`;
}
