import { checkWebhookUrl, isAllowedAddress } from '../../src/webhooks/ssrf-guard';

const strict = { production: true, allowedCidrs: '' };
const open = { production: false, allowedCidrs: '' };
const local = { production: false, allowedCidrs: '127.0.0.0/8, ::1/128,nonsense' };

describe('checkWebhookUrl', () => {
  it.each([
    ['https://example.com/hooks?x=1', 'https://example.com'],
    ['HTTPS://Example.COM:8443/', 'https://example.com:8443'],
    ['https://8.8.8.8/', 'https://8.8.8.8'],
    ['https://[2606:4700:4700::1111]/', 'https://[2606:4700:4700::1111]'],
    ['https://[::ffff:8.8.8.8]/', 'https://[::ffff:808:808]'],
    ['https://[64:ff9b::8.8.8.8]/', 'https://[64:ff9b::808:808]'],
    ['https://localhost.example.com/', 'https://localhost.example.com'],
    [`https://example.com/${'a'.repeat(480)}`, 'https://example.com'],
  ])('allows %s', (url, origin) => expect(checkWebhookUrl(url, strict)).toEqual({ ok: true, origin }));

  it.each([
    ['http://example.com/', 'https'],
    ['ftp://example.com/', 'http'],
    ['javascript:alert(1)', 'http'],
    ['//example.com/', 'http'],
    ['https:example.com', 'http'],
    ['https://user@example.com/', 'credentials'],
    ['https://:secret@example.com/', 'credentials'],
    ['https://example.com/#part', 'fragment'],
    ['https://example.com/#', 'fragment'],
    ['https://exa mple.com/', 'blanks'],
    ['https://example.com/\n', 'blanks'],
    ['https://ex\u00e4mple.com/', 'ASCII'],
    ['https:\\\\example.com', 'backslash'],
    ['https://', 'not a URL'],
    ['https://999.1.1.1/', 'not a URL'],
    [`https://example.com/${'a'.repeat(481)}`, 'longer'],
    ['', 'blanks'],
  ])('refuses the form of %j', (url, reason) => {
    expect(checkWebhookUrl(url, strict)).toEqual({
      ok: false,
      reason: expect.stringContaining(reason) as string,
    });
  });

  it.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f.0.0.1/',
    'http://0177.0.0.1/',
    'http://0/',
    'http://10.0.0.1/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://100.64.0.1/',
    'http://192.0.2.1/',
    'http://198.18.0.1/',
    'http://224.0.0.1/',
    'http://240.0.0.1/',
    'http://255.255.255.255/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[64:ff9b::10.0.0.1]/',
    'http://[64:ff9b:1::1]/',
    'http://[fe80::1]/',
    'http://[fc00::1]/',
    'http://[ff02::1]/',
    'http://[2001:db8::1]/',
    'http://[2002:7f00:1::]/',
    'http://[2001::1]/',
    'http://[4000::1]/',
    'http://[::127.0.0.1]/',
    'http://localhost/',
    'http://LOCALHOST.:8080/',
    'http://a.localhost/',
  ])('refuses the address of %s', (url) => {
    expect(checkWebhookUrl(url, open)).toEqual({ ok: false, reason: 'its address is not a public one' });
  });

  it('allows what the allow-list names, and nothing beside it', () => {
    const urls = [
      'http://127.0.0.1:4000/',
      'http://localhost:4000/',
      'http://[::1]/',
      'http://[::ffff:127.0.0.1]/',
    ];
    for (const url of urls) expect(checkWebhookUrl(url, local).ok).toBe(true);
    expect(checkWebhookUrl('http://10.0.0.1/', local).ok).toBe(false);
    expect(checkWebhookUrl('http://127.0.0.1/', { ...local, production: true }).ok).toBe(false);
  });
});

describe('isAllowedAddress', () => {
  it('judges what a name resolves to', () => {
    expect(isAllowedAddress('93.184.215.14', strict)).toBe(true);
    expect(isAllowedAddress('169.254.169.254', strict)).toBe(false);
    expect(isAllowedAddress('fe80::1%eth0', strict)).toBe(false);
    expect(isAllowedAddress('example.com', strict)).toBe(false);
    expect(isAllowedAddress('127.0.0.1', local)).toBe(true);
  });
});
