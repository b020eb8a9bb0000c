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
    ['https://b%C3%BCcher.example/', 'https://xn--bcher-kva.example'],
    ['https://xn--bcher-kva.example./', 'https://xn--bcher-kva.example.'],
    [`https://example.com/${'a'.repeat(480)}`, 'https://example.com'],
  ])('allows %s', (url, origin) => expect(checkWebhookUrl(url, strict)).toEqual({ ok: true, origin }));

  it.each([
    ['http://example.com/', 'HTTPS_REQUIRED', 'https'],
    ['ftp://example.com/', 'SCHEME_NOT_ALLOWED', 'http'],
    ['gopher://example.com/', 'SCHEME_NOT_ALLOWED', 'http'],
    ['file:///etc/passwd', 'SCHEME_NOT_ALLOWED', 'http'],
    ['javascript:alert(1)', 'SCHEME_NOT_ALLOWED', 'http'],
    ['//example.com/', 'SCHEME_NOT_ALLOWED', 'http'],
    ['https:example.com', 'SCHEME_NOT_ALLOWED', 'http'],
    ['https://user@example.com/', 'CREDENTIALS', 'credentials'],
    ['https://:secret@example.com/', 'CREDENTIALS', 'credentials'],
    ['https://example.com@127.0.0.1/', 'CREDENTIALS', 'credentials'],
    ['https://example.com/#part', 'FRAGMENT', 'fragment'],
    ['https://example.com/#', 'FRAGMENT', 'fragment'],
    ['https://exa mple.com/', 'NOT_PRINTABLE_ASCII', 'blanks'],
    ['https://example.com/\n', 'NOT_PRINTABLE_ASCII', 'blanks'],
    ['https://ex\u00e4mple.com/', 'NOT_PRINTABLE_ASCII', 'ASCII'],
    ['https://127\u30020\u30020\u30021/', 'NOT_PRINTABLE_ASCII', 'ASCII'],
    ['https:\\\\example.com', 'BACKSLASH', 'backslash'],
    ['https://', 'NOT_A_URL', 'not a URL'],
    ['https://999.1.1.1/', 'NOT_A_URL', 'not a URL'],
    ['https://[fe80::1%25eth0]/', 'NOT_A_URL', 'not a URL'],
    [`https://example.com/${'a'.repeat(481)}`, 'TOO_LONG', 'longer'],
    ['', 'NOT_PRINTABLE_ASCII', 'blanks'],
  ])('refuses the form of %j: %s', (url, code, reason) => {
    expect(checkWebhookUrl(url, strict)).toEqual({
      ok: false,
      code,
      reason: expect.stringContaining(reason) as string,
    });
  });

  it('refuses the ports of the block-list, also where a scheme implies them', () => {
    const policy = { ...open, blockedPorts: [22, 80, 5432] };
    const codeOf = (url: string) => {
      const verdict = checkWebhookUrl(url, policy);
      return verdict.ok ? 'ok' : verdict.code;
    };
    const refused = [
      'http://example.com/',
      'https://example.com:22/',
      'https://example.com:05432/',
      'https://h:80/',
    ];
    expect(refused.map(codeOf)).toEqual(refused.map(() => 'PORT_BLOCKED'));
    expect(['https://example.com/', 'https://example.com:8080/'].map(codeOf)).toEqual(['ok', 'ok']);
    // Also inside the allow-list: a port stays closed there.
    expect(checkWebhookUrl('http://127.0.0.1:22/', { ...local, blockedPorts: [22] }).ok).toBe(false);
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
    'http://[2002:a00:1::]/',
    'http://[64:ff9b:1::8.8.8.8]/',
    'http://[3fff::1]/',
    'http://127.0.0.1./',
    'http://0x7f000001/',
    'http://017700000001/',
    'http://127.0x1/',
    'http://%31%32%37.0.0.1/',
    'http://%6c%6fcalhost/',
    'http://168.63.129.16/',
    'http://192.0.0.192/',
    'http://100.100.100.200/',
    'http://localhost/',
    'http://LOCALHOST.:8080/',
    'http://a.localhost/',
  ])('refuses the address of %s', (url) => {
    expect(checkWebhookUrl(url, open)).toEqual({
      ok: false,
      code: 'ADDRESS_NOT_PUBLIC',
      reason: 'its address is not a public one',
    });
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
