/** When two spellings of a URL mean one address. Pure. */

/**
 * The form in which URLs are compared, never requested: that of the WHATWG parser (scheme and host in lower case, no
 * default port, no empty path), without the dots that may end a name, and with percent-encodings in upper case.
 * @throws TypeError for what is not a URL
 */
export function normalUrl(text: string): string {
  const url = new URL(text);
  url.hostname = url.hostname.replace(/\.+$/, '');
  return url.href.replace(/%[0-9a-f]{2}/gi, (encoded) => encoded.toUpperCase());
}
