import { createAddressOf } from '../../../src/api/limits/client-address';

const request = (remoteAddress: string | undefined, forwardedFor?: string) => ({
  socket: { remoteAddress },
  headers: forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor },
});

describe('without a trusted proxy', () => {
  const addressOf = createAddressOf([]);
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '20010db800010002/64'],
    ['2001:db8:1:2::1', '20010db800010002/64'],
    ['2001:db8:1:3::1', '20010db800010003/64'],
    [undefined, undefined],
    ['nonsense', undefined],
  ])('%s is %s', (peer, expected) => expect(addressOf(request(peer))).toBe(expected));

  it('believes nobody who speaks of others', () => {
    expect(addressOf(request('203.0.113.7', '198.51.100.1'))).toBe('203.0.113.7');
  });
});

describe('behind 10.0.0.0/8 and fd00::/8', () => {
  const addressOf = createAddressOf(['10.0.0.0/8', 'fd00::/8']);
  test.each([
    ['10.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['::ffff:10.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['fd00::1', '2001:db8:1:2::9', '20010db800010002/64'],
    // What the client itself has written stands to the left.
    ['10.0.0.1', '192.0.2.66, 198.51.100.1', '198.51.100.1'],
    ['10.0.0.1', '192.0.2.66,198.51.100.1 , 10.9.9.9', '198.51.100.1'],
    ['10.0.0.1', '10.1.1.1', undefined],
    ['10.0.0.1', undefined, undefined],
    ['10.0.0.1', '198.51.100.1, nonsense', '10.0.0.1'],
    ['10.0.0.1', '198.51.100.1, nonsense, 10.1.1.1', '10.0.0.1'],
    ['10.0.0.1', 'unknown', '10.0.0.1'],
    ['10.0.0.1', '198.51.100.1,', '10.0.0.1'],
    ['10.0.0.1', '1', '10.0.0.1'],
    ['10.0.0.1', '0x7f.1', '10.0.0.1'],
    ['10.0.0.1', '198.51.100.1:', '10.0.0.1'],
    ['10.0.0.1', '[198.51.100.1', '10.0.0.1'],
    ['10.0.0.1', '', undefined],
    ['10.0.0.1', ' ', undefined],
    // As some proxies write it.
    ['10.0.0.1', '198.51.100.1:567', '198.51.100.1'],
    ['10.0.0.1', '192.0.2.66:1, 198.51.100.1:50312', '198.51.100.1'],
    ['10.0.0.1', '[::1]:567', '0000000000000000/64'],
    ['10.0.0.1', '[2001:db8:1:2::9]:50312, 10.9.9.9:80', '20010db800010002/64'],
    ['10.0.0.1', '[2001:db8:1:2::9]', '20010db800010002/64'],
    ['10.0.0.1', '[::ffff:198.51.100.1]:567', '198.51.100.1'],
    // A proxy that is none of ours speaks for itself.
    ['203.0.113.7', '198.51.100.1', '203.0.113.7'],
  ])('%s with %s is %s', (peer, forwardedFor, expected) =>
    expect(addressOf(request(peer, forwardedFor))).toBe(expected),
  );

  it('follows only so many proxies', () => {
    const many = `198.51.100.1${', 10.1.1.1'.repeat(50)}`;
    expect(addressOf(request('10.0.0.1', many))).toBeUndefined();
  });
});
