/**
 * High-value events first: how much earlier an event counts than it happened. Waiting notifications go out in the
 * order of creation time minus this bonus, so that a big payment overtakes small ones but age wins in the end.
 */
import { currencyExponent } from '../money';

/** In US dollars; the highest first. */
const BANDS: readonly { readonly fromUsd: number; readonly bonusMs: number }[] = [
  { fromUsd: 10_000, bonusMs: 300_000 },
  { fromUsd: 1_000, bonusMs: 60_000 },
];

/**
 * Units of a currency that one US dollar buys, roughly and for ordering only: an order of magnitude is enough to pick
 * a band, and nothing is ever charged or shown by it. Static, so that the order does not hang on a rate service.
 */
const UNITS_PER_USD: Readonly<Record<string, number>> = {
  ...{ USD: 1, EUR: 0.9, GBP: 0.78, CHF: 0.85, CNY: 7.2, JPY: 150, HKD: 7.8, SGD: 1.33, TWD: 32, KRW: 1_380 },
  ...{ AUD: 1.5, NZD: 1.65, CAD: 1.38, MXN: 18.5, BRL: 5.5, ARS: 1_000, CLP: 940, COP: 4_100, PEN: 3.75 },
  ...{
    SEK: 10.3,
    NOK: 10.7,
    DKK: 6.8,
    ISK: 137,
    PLN: 3.95,
    CZK: 23,
    HUF: 360,
    RON: 4.5,
    BGN: 1.77,
    RSD: 105,
  },
  ...{ TRY: 34, UAH: 41, RUB: 90, GEL: 2.7, KZT: 490, UZS: 12_700, ILS: 3.7, EGP: 49, MAD: 9.8, TND: 3.1 },
  ...{
    AED: 3.67,
    SAR: 3.75,
    QAR: 3.64,
    KWD: 0.31,
    BHD: 0.376,
    OMR: 0.385,
    JOD: 0.709,
    IQD: 1_310,
    LBP: 89_500,
  },
  ...{
    INR: 84,
    PKR: 278,
    BDT: 120,
    LKR: 295,
    NPR: 134,
    THB: 34,
    VND: 25_000,
    IDR: 15_700,
    MYR: 4.4,
    PHP: 57,
  },
  ...{ KHR: 4_050, LAK: 22_000, MMK: 2_100, MNT: 3_400, MOP: 8, ZAR: 18, NGN: 1_600, KES: 129, GHS: 16 },
  ...{ UGX: 3_680, TZS: 2_700, RWF: 1_360, ETB: 120, XOF: 600, XAF: 600, MGA: 4_600, MUR: 46, XPF: 108 },
  ...{ UYU: 41, PYG: 7_700, BOB: 6.9, CRC: 515, GTQ: 7.7, DOP: 60, JMD: 157, TTD: 6.8, BBD: 2, BSD: 1 },
};

/**
 * @param amount minor units of `currency`
 * @returns milliseconds; 0 below the lowest band, and for a currency without a rate
 */
export function priorityBonusMs(amount: number, currency: string): number {
  const exponent = currencyExponent(currency);
  const unitsPerUsd = UNITS_PER_USD[currency];
  if (exponent === undefined || unitsPerUsd === undefined) return 0;
  const usd = amount / 10 ** exponent / unitsPerUsd;
  return BANDS.find((band) => usd >= band.fromUsd)?.bonusMs ?? 0;
}
