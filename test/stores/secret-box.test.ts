import { createSecretBox } from '../../src/stores/secret-box';

const keyOf = (id: string, byte: number): string => `${id}:${Buffer.alloc(32, byte).toString('base64')}`;
const PURPOSE = 'table.column';

describe('the secret box', () => {
  const box = createSecretBox(keyOf('k1', 1));

  it.each(['', 'sk_test_123', 'Grüße, 世界 🔑', 'x'.repeat(100_000)])('opens what it sealed', (plain) => {
    expect(box.open(box.seal(plain, PURPOSE), PURPOSE)).toBe(plain);
  });

  it('never seals the same way twice, names its key, and shows nothing', () => {
    const [a, b] = [box.seal('secret', PURPOSE), box.seal('secret', PURPOSE)];
    expect(a).not.toBe(b);
    expect(a).toMatch(/^v1\.k1\.[A-Za-z0-9_-]+$/);
    expect(Buffer.from(a.split('.')[2] ?? '', 'base64url').toString('latin1')).not.toContain('secret');
  });

  it('opens only for the purpose it was sealed for', () => {
    expect(() => box.open(box.seal('x', PURPOSE), 'other.column')).toThrow();
  });

  it('refuses a text that was changed, wherever', () => {
    const sealed = box.seal('some secret', PURPOSE);
    const [version, id, data = ''] = sealed.split('.');
    const bytes = Buffer.from(data, 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => box.open(`${version}.${id}.${changed.toString('base64url')}`, PURPOSE)).toThrow();
    }
    for (const text of ['', 'v1', 'v1.k1.', sealed.replace('v1', 'v2')]) {
      expect(() => box.open(text, PURPOSE)).toThrow();
    }
  });

  it('rotates: the first key seals, every key opens, a key that is gone is named', () => {
    const old = box.seal('x', PURPOSE);
    const rotated = createSecretBox(`${keyOf('k2', 2)},${keyOf('k1', 1)}`);
    expect(rotated.open(old, PURPOSE)).toBe('x');
    const fresh = rotated.seal('y', PURPOSE);
    expect(fresh.startsWith('v1.k2.')).toBe(true);
    expect(() => box.open(fresh, PURPOSE)).toThrow('"k2"');
    expect(() => createSecretBox(keyOf('k1', 9)).open(old, PURPOSE)).toThrow();
  });
});
