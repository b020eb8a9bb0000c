/**
 * What Stripe says about amounts, written down again on purpose: if the adapter and the sandbox shared one table, a
 * mistake in it would agree with itself.
 */
import { invalid } from './errors';

const CURRENCIES = new Set(
  (
    'aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp ' +
    'cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr ' +
    'isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn ' +
    'myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle ' +
    'sos srd szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw'
  ).split(' '),
);
const HUNDREDS = new Set(['isk', 'ugx']);
const TENS = new Set(['bhd', 'jod', 'kwd', 'omr', 'tnd']);
const MAX_AMOUNT = 99_999_999;

/** The smallest charge by currency, in Stripe's unit; 0.50 USD or thereabouts, 50 where nothing is listed. */
const MINIMUM: Readonly<Record<string, number>> = {
  aed: 200, bgn: 100, czk: 1500, dkk: 250, gbp: 30, hkd: 400, huf: 17_500, mxn: 1000, myr: 200, nok: 300, pln: 200,
  ron: 200, sek: 300, thb: 1000, isk: 100, ugx: 100, bhd: 200, jod: 350, kwd: 150, omr: 200, tnd: 1500,
}; // prettier-ignore

/** @throws StripeApiError as Stripe answers for a new PaymentIntent */
export function checkChargeAmount(amount: number, currency: string): void {
  if (!CURRENCIES.has(currency)) {
    throw invalid(
      undefined,
      `Invalid currency: ${currency}. Stripe currently supports these currencies: ...`,
      'currency',
    );
  }
  if (amount < 1)
    throw invalid('parameter_invalid_integer', 'This value must be greater than or equal to 1.', 'amount');
  if (amount > MAX_AMOUNT) {
    throw invalid('amount_too_large', `Amount must be no more than ${MAX_AMOUNT} ${currency}`, 'amount');
  }
  checkStep(amount, currency, 'amount');
  const minimum = MINIMUM[currency] ?? 50;
  if (amount < minimum) {
    throw invalid('amount_too_small', `Amount must be at least ${minimum} ${currency}`, 'amount');
  }
}

/** ISK and UGX are two-decimal amounts that end in 00; three-decimal amounts end in 0. */
export function checkStep(amount: number, currency: string, param: string): void {
  const step = HUNDREDS.has(currency) ? 100 : TENS.has(currency) ? 10 : 1;
  if (amount % step !== 0) {
    throw invalid(
      'parameter_invalid_integer',
      `Invalid ${currency} amount: it must be a multiple of ${step}`,
      param,
    );
  }
}
