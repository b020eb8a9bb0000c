/** The country of a client's address, out of a file that the operator supplies. Nobody is asked over the network. */
import { readFile } from 'node:fs/promises';
import ipaddr from 'ipaddr.js';
import { Reader } from 'maxmind';
import type { CountryResponse } from 'maxmind';

/** @returns ISO 3166-1 alpha-2, upper case; undefined for what is no public address, and where the file knows none. Never throws. */
export type CountryResolver = (ip: string) => string | undefined;

/** The setting that names the file. */
export const COUNTRY_DATABASE_VARIABLE = 'GEOIP_DATABASE';

/** GeoLite2, GeoIP2 and DB-IP name their files so; one of networks or of proxies would never tell a country. */
const TELLS_COUNTRY = /Country|City|Enterprise/;
const COUNTRY_CODE = /^[A-Z]{2}$/;

/**
 * Reads the file once; a newer one is read at the next start.
 * @param path an .mmdb file with countries or cities; undefined or empty: there is none, and no country is told
 * @throws Error at start, naming the setting, when the file is missing or is no such database
 */
export async function openCountryDatabase(path: string | undefined): Promise<CountryResolver> {
  if (path === undefined || path === '') return () => undefined;
  const reader = await readerOf(path);
  const { databaseType, ipVersion } = reader.metadata;
  if (!TELLS_COUNTRY.test(databaseType))
    throw unusable(path, `its kind, ${databaseType}, tells no countries`);
  return (ip) => {
    const address = publicAddress(ip);
    // In a tree of IPv4 alone the reader would take the first bits of an IPv6 address for another's.
    if (address === undefined || (ipVersion === 4 && address.kind() === 'ipv6')) return undefined;
    return lookUp(reader, address.toString());
  };
}

async function readerOf(path: string): Promise<Reader<CountryResponse>> {
  try {
    return new Reader<CountryResponse>(await readFile(path));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw unusable(path, code === 'ENOENT' ? 'there is no such file' : message, error);
  }
}

function unusable(path: string, why: string, cause?: unknown): Error {
  return new Error(`${COUNTRY_DATABASE_VARIABLE}: ${path} cannot be used as a country database: ${why}`, {
    cause,
  });
}

/** An IPv4 address in an IPv6 one is looked up as itself. */
function publicAddress(ip: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (!ipaddr.isValid(ip)) return undefined;
  const address = ipaddr.process(ip);
  return address.range() === 'unicast' ? address : undefined;
}

/** A country only helps to choose: a file that is broken somewhere must not cost a payment. */
function lookUp(reader: Reader<CountryResponse>, address: string): string | undefined {
  try {
    const code = reader.get(address)?.country?.iso_code;
    return code !== undefined && COUNTRY_CODE.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}
