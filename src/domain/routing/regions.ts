/** Names for groups of countries, usable wherever routing takes a country. Names are longer than a country's code. */

const REGIONS: Readonly<Record<string, ReadonlySet<string>>> = {
  EEA: countries('AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK'),
  GREATER_CHINA: countries('CN HK MO TW'),
  LATAM: countries('AR BO BR CL CO CR CU DO EC GT HN HT MX NI PA PE PR PY SV UY VE'),
  SOUTHEAST_ASIA: countries('BN ID KH LA MM MY PH SG TH TL VN'),
};

export const REGION_NAMES: readonly string[] = Object.keys(REGIONS);

function countries(codes: string): ReadonlySet<string> {
  return new Set(codes.split(' '));
}

/** True for the name of a region; anything else is taken as a country's code. */
export function isRegion(name: string): boolean {
  return Object.hasOwn(REGIONS, name);
}

/** The countries of a region; of a country itself alone. */
export function countriesOf(name: string): Iterable<string> {
  return isRegion(name) ? (REGIONS[name] ?? []) : [name];
}
