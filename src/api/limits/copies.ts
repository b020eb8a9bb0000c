/** Copies in memory of what is kept elsewhere: each is loaded once at a time, and is better old than missing. */

export interface CopySettings<Value> {
  readonly load: (key: string) => Promise<Value>;
  /** In the place of what could not be loaded and was never known. */
  readonly fallback: Value;
  readonly freshMs: number;
  /** How long a value stands in for one that could not be loaded. */
  readonly retryMs: number;
  readonly maxEntries: number;
  readonly onFailure: (error: unknown) => void;
  /** Milliseconds of a clock that only goes forwards. */
  readonly now: () => number;
}

export interface Copies<Value> {
  /** undefined: there is none that may be used without asking. */
  fresh(key: string): Value | undefined;
  /** Never rejects: what cannot be loaded is what was last known. */
  get(key: string): Promise<Value>;
  /** What is loaded from now on counts, and nothing that is being loaded. */
  expire(key: string): void;
  expireAll(): void;
}

export function createCopies<Value>(settings: CopySettings<Value>): Copies<Value> {
  const { load, fallback, freshMs, retryMs, maxEntries, onFailure, now } = settings;
  const copies = new Map<string, { readonly value: Value; freshUntilMs: number }>();
  const loading = new Map<string, Promise<Value>>();

  function keep(key: string, value: Value, forMs: number): void {
    // A Map lists its entries in the order in which they were put in: the first was loaded longest ago.
    copies.delete(key);
    const oldest = copies.size < maxEntries ? undefined : copies.keys().next().value;
    if (oldest !== undefined) copies.delete(oldest);
    copies.set(key, { value, freshUntilMs: now() + forMs });
  }

  function fresh(key: string): Value | undefined {
    const copy = copies.get(key);
    return copy !== undefined && now() < copy.freshUntilMs ? copy.value : undefined;
  }

  function start(key: string): Promise<Value> {
    const keepIfPresent = (value: Value, forMs: number) => {
      // Somebody has said meanwhile that what was asked for then is out of date: better than nothing, no more.
      if (loading.get(key) !== run) {
        if (!copies.has(key)) keep(key, value, -Infinity);
        return value;
      }
      loading.delete(key);
      keep(key, value, forMs);
      return value;
    };
    const run: Promise<Value> = load(key).then(
      (value) => keepIfPresent(value, freshMs),
      (error: unknown) => {
        onFailure(error);
        return keepIfPresent(copies.get(key)?.value ?? fallback, retryMs);
      },
    );
    loading.set(key, run);
    return run;
  }

  return {
    fresh,
    async get(key) {
      return fresh(key) ?? (await (loading.get(key) ?? start(key)));
    },
    expire(key) {
      loading.delete(key);
      const copy = copies.get(key);
      if (copy !== undefined) copy.freshUntilMs = -Infinity;
    },
    expireAll() {
      loading.clear();
      for (const copy of copies.values()) copy.freshUntilMs = -Infinity;
    },
  };
}
