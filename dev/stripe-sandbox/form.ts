/** Stripe's form encoding: `metadata[order]=1&expand[]=a&expand[0]=b`, nested at will. */
import { invalid } from './errors';
import type { JsonObject } from './types';

const MAX_DEPTH = 8;

/** @throws StripeApiError for brackets that do not close */
export function decodeForm(text: string): JsonObject {
  const root: JsonObject = Object.create(null) as JsonObject;
  for (const [key, value] of new URLSearchParams(text)) {
    const path = splitKey(key);
    if (path.length > MAX_DEPTH)
      throw invalid('parameter_unknown', `Received unknown parameter: ${key}`, key);
    assign(root, path, value);
  }
  return arrays(root) as JsonObject;
}

function splitKey(key: string): string[] {
  const open = key.indexOf('[');
  if (open < 0) return [key];
  const rest = key.slice(open);
  if (!/^(\[[^[\]]*\])+$/.test(rest))
    throw invalid('parameter_unknown', `Received unknown parameter: ${key}`, key);
  return [key.slice(0, open), ...rest.slice(1, -1).split('][')];
}

function assign(target: JsonObject, path: readonly string[], value: string): void {
  const [head = '', ...tail] = path;
  // `a[]=x` appends: the next free index.
  const key = head === '' ? String(Object.keys(target).length) : head;
  if (tail.length === 0) {
    target[key] = value;
    return;
  }
  const next = target[key];
  const child =
    typeof next === 'object' && next !== null ? (next as JsonObject) : (Object.create(null) as JsonObject);
  target[key] = child;
  assign(child, tail, value);
}

/** Objects whose keys are 0, 1, 2, ... were arrays. */
function arrays(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, child]) => [key, arrays(child)] as const);
  const isArray = entries.length > 0 && entries.every(([key], index) => key === String(index));
  return isArray ? entries.map(([, child]) => child) : Object.fromEntries(entries);
}
