/** The country of an address: out of a real file, which the test writes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCountryDatabase } from '../../src/routing/country';
import { mmdbOf } from './mmdb-file';
import type { MmdbOptions } from './mmdb-file';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-country-'));
afterAll(() => rmSync(folder, { recursive: true }));

const country = (iso_code: string) => ({ country: { iso_code } });

const NETWORKS = {
  '81.2.69.0/24': country('GB'),
  '89.160.20.0/25': { city: { name: 'Linköping' }, ...country('SE') },
  '89.160.20.128/25': country('NO'),
  '2001:218::/32': country('JP'),
  '9.9.9.0/24': { continent: { code: 'EU' } },
  '9.9.10.0/24': country('Atlantis'),
  // What no public file holds: the guard must not depend on that.
  '10.0.0.0/8': country('XA'),
  '127.0.0.0/8': country('XB'),
  'fd00::/8': country('XC'),
};

function fileOf(name: string, content: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const write = (name: string, options?: MmdbOptions) => fileOf(name, mmdbOf(NETWORKS, options));

describe('with a database of both versions of addresses', () => {
  const opening = openCountryDatabase(write('both.mmdb'));

  test.each([
    ['81.2.69.160', 'GB'],
    ['89.160.20.1', 'SE'],
    ['89.160.20.200', 'NO'],
    ['::ffff:81.2.69.160', 'GB'],
    ['2001:218::1', 'JP'],
    ['2001:0218:0000::0001', 'JP'],
  ])('%s is of %s', async (ip, expected) => expect((await opening)(ip)).toBe(expected));

  test.each([
    ['8.8.8.8', 'nothing is known of it'],
    ['2600::1', 'nothing is known of it'],
    ['9.9.9.9', 'its record has no country'],
    ['9.9.10.1', 'its record has no country code'],
    ['10.1.2.3', 'private'],
    ['::ffff:10.1.2.3', 'private'],
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['fd00::1', 'private'],
    ['', 'no address'],
    ['unknown', 'no address'],
    ['81.2.69.160, 10.0.0.1', 'no address'],
    ['999.1.1.1', 'no address'],
  ])('%j is of none: %s', async (ip) => expect((await opening)(ip)).toBeUndefined());
});

test('a database of IPv4 alone tells nothing of IPv6', async () => {
  const networks = { '32.0.0.0/3': country('US') };
  const path = fileOf('four.mmdb', mmdbOf(networks, { ipVersion: 4, type: 'DBIP-Country-Lite' }));
  const countryOf = await openCountryDatabase(path);
  expect(countryOf('33.1.1.1')).toBe('US');
  // 2001:: begins with the bits of 32.1.
  expect(countryOf('2001:218::1')).toBeUndefined();
});

test.each([undefined, ''])('without a file (%j) no country is told', async (path) => {
  expect((await openCountryDatabase(path))('81.2.69.160')).toBeUndefined();
});

test('records that cannot be read cost no payment', async () => {
  const whole = mmdbOf({ '81.2.69.0/24': country('GB') });
  const at = whole.indexOf('iso_code') + 'iso_code'.length;
  // A pointer to beyond the end, in the place of the code.
  whole.fill(0xff, at, at + 3);
  whole[at] = 0x3f;
  const countryOf = await openCountryDatabase(fileOf('broken.mmdb', whole));
  expect(countryOf('81.2.69.160')).toBeUndefined();
});

describe('a file that cannot be used is refused at start, by the name of the setting', () => {
  test('missing', async () => {
    const path = join(folder, 'missing.mmdb');
    await expect(openCountryDatabase(path)).rejects.toThrow(
      `GEOIP_DATABASE: ${path} cannot be used as a country database: there is no such file`,
    );
  });

  test('something else', async () => {
    const path = fileOf('text.mmdb', Buffer.from('no database at all'));
    await expect(openCountryDatabase(path)).rejects.toThrow(/^GEOIP_DATABASE: .*cannot be used/);
  });

  test('a folder', async () => {
    await expect(openCountryDatabase(folder)).rejects.toThrow(/^GEOIP_DATABASE: .*EISDIR/);
  });

  test('a database of something else', async () => {
    await expect(openCountryDatabase(write('asn.mmdb', { type: 'GeoLite2-ASN' }))).rejects.toThrow(
      'its kind, GeoLite2-ASN, tells no countries',
    );
  });
});
