import { normalUrl } from '../../src/domain/webhook/url';

const NORMAL = 'https://shop.example/hooks/a%2Fb?c=%C3%A9';

test.each([
  NORMAL,
  'HTTPS://Shop.EXAMPLE/hooks/a%2Fb?c=%C3%A9',
  'https://shop.example:443/hooks/a%2Fb?c=%C3%A9',
  'https://shop.example./hooks/a%2Fb?c=%C3%A9',
  'https://shop.example/hooks/a%2fb?c=%c3%a9',
  'https://shop.example/x/../hooks/./a%2Fb?c=%C3%A9',
])('%s is the same address', (url) => {
  expect(normalUrl(url)).toBe(NORMAL);
});

test('an empty path is the root, with a dot after the name too', () => {
  expect(normalUrl('http://shop.example')).toBe('http://shop.example/');
  expect(normalUrl('http://Shop.example.:80')).toBe('http://shop.example/');
});

test.each([
  ['the scheme', 'http://shop.example/hooks/a%2Fb?c=%C3%A9'],
  ['a port', 'https://shop.example:8443/hooks/a%2Fb?c=%C3%A9'],
  ['the case of the path', 'https://shop.example/Hooks/a%2Fb?c=%C3%A9'],
  ['a slash that is not encoded', 'https://shop.example/hooks/a/b?c=%C3%A9'],
  ['the query', 'https://shop.example/hooks/a%2Fb'],
])('%s makes another address', (_what, url) => {
  expect(normalUrl(url)).not.toBe(NORMAL);
});
