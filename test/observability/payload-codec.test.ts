/** The codec by itself: what it seals, what it opens, what it refuses. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultPayloadConverter } from '@temporalio/common';
import type { Payload } from '@temporalio/common';
import { z } from 'zod';
import { payloadSettings } from '../../src/config/payload-settings';
import { failureConverter } from '../../src/observability/encoded-failures';
import {
  assertBundleFits,
  createDataConverter,
  createPayloadCodec,
  keyIdOf,
} from '../../src/observability/payload-codec';

const keyOf = (id: string, fill: number) => `${id}:${Buffer.alloc(32, fill).toString('base64')}`;
const K1 = keyOf('k1', 1);
const K2 = keyOf('k2', 2);
const SECRET = 'PA20260101-the-secret';

const payloadOf = (value: unknown): Payload => defaultPayloadConverter.toPayload<unknown>(value);
const textOf = ({ metadata, data }: Payload) =>
  Buffer.concat([...Object.values(metadata ?? {}), data ?? Buffer.alloc(0)]).toString('latin1');

async function sealed(value: unknown, ring = K1): Promise<Payload> {
  const [payload] = await createPayloadCodec(ring, true).encode([payloadOf(value)]);
  return payload as Payload;
}

async function opened(payload: Payload, ring: string): Promise<unknown> {
  const [plain] = await createPayloadCodec(ring, true).decode([payload]);
  return defaultPayloadConverter.fromPayload(plain as Payload);
}

describe('sealing', () => {
  test.each([[{ no: SECRET, amount: 12 }], [undefined], [null], [''], ['中文'], ['x'.repeat(100_000)]])(
    'opens what it sealed (%#)',
    async (value) => {
      const payload = await sealed(value);
      expect(keyIdOf(payload)).toBe('k1');
      expect(await opened(payload, K1)).toEqual(value);
    },
  );

  test('keeps binary data and metadata of its own', async () => {
    const payload = {
      metadata: { encoding: Buffer.from('binary/plain'), own: Buffer.from('x') },
      data: randomBytes(40),
    };
    const codec = createPayloadCodec(K1, true);
    const [back] = await codec.decode(await codec.encode([payload]));
    expect(Buffer.from(back?.data ?? [])).toEqual(payload.data);
    expect(Buffer.from(back?.metadata?.['own'] ?? []).toString()).toBe('x');
  });

  test('leaves nothing to be read, the encoding within included', async () => {
    const payload = await sealed({ no: SECRET });
    expect(textOf(payloadOf({ no: SECRET }))).toContain(SECRET);
    expect(textOf(payload)).not.toContain(SECRET);
    expect(textOf(payload)).not.toContain('json/plain');
  });

  test('never seals alike, and takes no and many payloads', async () => {
    expect(textOf(await sealed('x'))).not.toBe(textOf(await sealed('x')));
    const codec = createPayloadCodec(K1, true);
    expect(await codec.encode([])).toEqual([]);
    expect(await codec.decode([])).toEqual([]);
    const many = Array.from({ length: 50 }, (_, i) => payloadOf(i));
    const back = await codec.decode(await codec.encode(many));
    expect(back.map((one) => defaultPayloadConverter.fromPayload(one))).toEqual(many.map((_, i) => i));
  });
});

describe('opening', () => {
  test('every changed byte is seen', async () => {
    const payload = await sealed('text');
    const data = Buffer.from(payload.data ?? []);
    for (let i = 0; i < data.length; i += 1) {
      const changed = Buffer.from(data);
      changed.writeUInt8(changed.readUInt8(i) ^ 1, i);
      await expect(opened({ ...payload, data: changed }, K1)).rejects.toThrow('cannot be opened');
    }
    for (const length of [0, 10, 43, data.length - 1]) {
      await expect(opened({ ...payload, data: data.subarray(0, length) }, K1)).rejects.toThrow(
        'cannot be opened',
      );
    }
  });

  test('keys are rotated: the first seals, all open, and a missing one is named', async () => {
    const old = await sealed('old');
    expect(await opened(old, `${K2},${K1}`)).toBe('old');
    const fresh = await sealed('new', `${K2},${K1}`);
    expect(keyIdOf(fresh)).toBe('k2');
    expect(await opened(fresh, `${K1},${K2}`)).toBe('new');
    await expect(opened(fresh, K1)).rejects.toThrow('"k2", which is not in HOLDFAST_PAYLOAD_KEYS');
    await expect(opened(old, keyOf('k1', 9))).rejects.toThrow('the key "k1" is another one');
  });

  test('what is not sealed passes, and a codec that only opens seals nothing', async () => {
    const plain = payloadOf('from the Web UI');
    const codec = createPayloadCodec(K1, false);
    expect((await codec.decode([plain]))[0]).toBe(plain);
    expect((await codec.encode([plain]))[0]).toBe(plain);
    expect(await opened(await sealed('x'), K1)).toBe('x');
    const other = { metadata: { encoding: Buffer.from('binary/zlib') }, data: Buffer.from('z') };
    expect((await codec.decode([other, {}]))[0]).toBe(other);
  });

  test('a ring without a key is refused', () => {
    for (const ring of ['', 'k1:']) expect(() => createPayloadCodec(ring, true)).toThrow('names no key');
  });
});

describe('the texts of failures', () => {
  test('are payloads, those of causes too, and come back', () => {
    const error = new Error(`outer ${SECRET}`, { cause: new Error(`inner ${SECRET}`) });
    const failure = failureConverter.errorToFailure(error, defaultPayloadConverter);
    const plain = JSON.stringify({
      ...failure,
      encodedAttributes: '',
      cause: { ...failure.cause, encodedAttributes: '' },
    });
    expect(plain).not.toContain(SECRET);
    expect(plain).not.toContain('payload-codec.test');
    const back = failureConverter.failureToError(failure, defaultPayloadConverter);
    expect(back.message).toBe(`outer ${SECRET}`);
    expect(back.stack).toContain('payload-codec.test');
    expect((back.cause as Error).message).toBe(`inner ${SECRET}`);
  });
});

describe('the settings', () => {
  const settingsOf = (environment: object) => z.object(payloadSettings).parse(environment);

  test('without keys all is as Temporal has it; with keys codec and converter come together', () => {
    expect(createDataConverter(settingsOf({}))).toEqual({});
    const on = createDataConverter(settingsOf({ HOLDFAST_PAYLOAD_KEYS: `${K2},${K1}` }));
    expect(on.payloadCodecs).toHaveLength(1);
    expect(on.failureConverterPath).toMatch(/encoded-failures/);
    const off = createDataConverter(
      settingsOf({ HOLDFAST_PAYLOAD_KEYS: K1, HOLDFAST_PAYLOAD_ENCRYPTION: 'false' }),
    );
    expect(off.payloadCodecs).toHaveLength(1);
    expect(off.failureConverterPath).toBeUndefined();
  });

  test.each([
    'k1',
    'k1:short',
    `${K1},`,
    `${K1},${keyOf('k1', 2)}`,
    `k.1:${Buffer.alloc(32).toString('base64')}`,
  ])('the ring %p is refused', (ring) => expect(() => settingsOf({ HOLDFAST_PAYLOAD_KEYS: ring })).toThrow());

  test('a bundle that would leave failures readable is refused', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-bundle-'));
    const path = join(folder, 'bundle.js');
    const on = createDataConverter(settingsOf({ HOLDFAST_PAYLOAD_KEYS: K1 }));
    try {
      writeFileSync(path, 'node_modules/@temporalio/common/lib/converter/failure-converter.js');
      expect(() => assertBundleFits(path, on)).toThrow('WORKFLOW_BUNDLE');
      expect(() => assertBundleFits(path, {})).not.toThrow();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
