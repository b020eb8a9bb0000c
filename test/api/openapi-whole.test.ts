/**
 * The document of the whole API: whoever adds a route and forgets its example, or shows one that is not what comes, is told
 * here. The ajv that reads it is not the validator that answers requests (zod).
 */
import Ajv2020 from 'ajv/dist/2020';
import type { ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { apiDocument } from '../../dev/api-document';
import { DETAILS } from '../../src/api/docs/failures';
import { EXAMPLES } from '../../src/api/docs/examples';
import { HTTP_STATUS } from '../../src/api/errors';
import { ERROR_MESSAGES } from '../../src/domain/errors';
import type { ErrorCode } from '../../src/domain/errors';
import { WEBHOOK_EVENTS } from '../../src/domain/webhook/events';

interface Media {
  readonly schema: object;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly $ref: string }>>;
}
interface Answer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, { readonly $ref: string }>>;
  readonly content?: Readonly<Record<string, Media>>;
}
interface Parameter {
  readonly $ref?: string;
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly example?: unknown;
  readonly schema: object;
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags?: readonly string[];
  readonly security?: readonly Readonly<Record<string, unknown>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, Answer>>;
}
interface Whole {
  readonly openapi: string;
  readonly info: { readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly webhooks: Readonly<Record<string, { readonly post: Operation }>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

interface Named {
  readonly name: string;
  readonly path: string;
  readonly operation: Operation;
}

let whole: Whole;
let operations: Named[];
let ajv: Ajv2020;

beforeAll(async () => {
  whole = (await apiDocument()) as unknown as Whole;
  operations = Object.entries(whole.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ name: `${method} ${path}`, path, operation })),
  );
  ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema({ ...whole, $id: 'api' });
  ajv.addSchema({ ...(closed(whole) as object), $id: 'closed' });
});

/** A field that a schema does not have may come one day; in an example it is a mistake. */
function closed(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_, node: unknown) => {
    const isOpen = typeof node === 'object' && node !== null && 'properties' in node && 'type' in node;
    return isOpen && !('additionalProperties' in node) ? { ...node, additionalProperties: false } : node;
  });
}

const validators = new Map<string, ValidateFunction>();

/** References of a schema within the document are to the document. */
function compiled(schema: object, within: 'api' | 'closed'): ValidateFunction {
  const text = JSON.stringify(within === 'api' ? schema : closed(schema));
  const inWhole = text.replaceAll('"$ref":"#/', `"$ref":"${within}#/`);
  const validate = validators.get(inWhole) ?? ajv.compile(JSON.parse(inWhole) as object);
  validators.set(inWhole, validate);
  return validate;
}

function problemOf(schema: object, value: unknown, within: 'api' | 'closed' = 'closed'): string | undefined {
  const validate = compiled(schema, within);
  return validate(value) ? undefined : ajv.errorsText(validate.errors);
}

const pointed = (ref: string): unknown =>
  ref
    .slice(2)
    .split('/')
    .reduce<unknown>((node, part) => {
      const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
      return (node as Record<string, unknown> | undefined)?.[name];
    }, whole);

const isList = (operation: Operation) =>
  operation.responses['200']?.content?.['application/json']?.example !== undefined &&
  JSON.stringify(operation.responses['200'].content['application/json'].example).includes('"next_cursor"');

describe('every route', () => {
  it('has a name of its own, a summary, a known tag, and says who may call it', () => {
    expect(operations.length).toBeGreaterThan(60);
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const tags = new Set(whole.tags.map(({ name }) => name));
    for (const { name, operation } of operations) {
      expect([name, operation.summary.length > 5]).toEqual([name, true]);
      expect([name, operation.tags?.filter((tag) => !tags.has(tag))]).toEqual([name, []]);
      expect([name, Array.isArray(operation.security)]).toEqual([name, true]);
    }
    for (const { description } of whole.tags) expect(description.length).toBeGreaterThan(20);
  });

  it('has an example of its body, of every success and of what its address needs', () => {
    const missing = operations.flatMap(({ name, operation }) => [
      ...Object.values(operation.requestBody?.content ?? {})
        .filter(({ example }) => example === undefined)
        .map(() => `${name}: body`),
      ...Object.entries(operation.responses)
        .filter(([status, { content }]) => status < '300' && content !== undefined)
        .flatMap(([status, { content = {} }]) =>
          Object.values(content)
            .filter(({ example, schema }) => example === undefined && Object.keys(schema).length > 0)
            .map(() => `${name}: ${status}`),
        ),
      ...(operation.parameters ?? [])
        .filter((parameter) => parameter.required === true && parameter.example === undefined)
        .map((parameter) => `${name}: ${parameter.name}`),
    ]);
    expect(missing).toEqual([]);
  });

  it('takes exactly the parameters that stand in its address', () => {
    for (const { name, path, operation } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, one]) => one);
      const given = (operation.parameters ?? [])
        .filter((each) => each.in === 'path')
        .map((each) => each.name);
      expect([name, given.sort()]).toEqual([name, named.sort()]);
    }
  });

  it('tells its request id, and a merchant what is left of its limits', () => {
    for (const { name, operation } of operations) {
      const isMerchants = operation.security?.some((each) => 'merchant' in each) === true;
      for (const [status, { headers = {} }] of Object.entries(operation.responses)) {
        expect([name, status, 'X-Request-Id' in headers]).toEqual([name, status, true]);
        if (isMerchants && status !== '401')
          expect([name, status, 'RateLimit' in headers]).toEqual([name, status, true]);
        if (status === '429') expect([name, 'Retry-After' in headers]).toEqual([name, true]);
        if (status === '202') expect([name, 'Location' in headers]).toEqual([name, true]);
      }
    }
  });

  it('that makes or changes something takes an Idempotency-Key', () => {
    const without = operations
      .filter(({ name, operation }) => name.startsWith('post ') && operation.security?.length !== 0)
      .filter(({ operation }) => operation.parameters?.every((each) => each.name !== 'Idempotency-Key'));
    // A quote makes nothing.
    expect(without.map(({ name }) => name)).toEqual(['post /api/v1/routing/quote']);
  });

  it('that lists takes limit and cursor', () => {
    const lists = operations.filter(({ operation }) => isList(operation));
    expect(lists.length).toBeGreaterThan(10);
    for (const { name, operation } of lists) {
      const names = operation.parameters?.map((each) => each.name) ?? [];
      expect([name, names.includes('limit'), names.includes('cursor')]).toEqual([name, true, true]);
    }
  });

  it('has its examples under its own name', () => {
    const names = new Set(operations.map(({ name }) => name));
    expect(Object.keys(EXAMPLES).filter((name) => !names.has(name))).toEqual([]);
  });
});

describe('every example is what its schema says', () => {
  it('bodies and successes', () => {
    const problems = operations.flatMap(({ name, operation }) => {
      const media = [
        ...Object.values(operation.requestBody?.content ?? {}),
        ...Object.values(operation.responses).flatMap(({ content = {} }) => Object.values(content)),
      ];
      return media
        .filter(({ example }) => example !== undefined)
        .map(({ schema, example }) => problemOf(schema, example))
        .filter((problem) => problem !== undefined)
        .map((problem) => `${name}: ${problem}`);
    });
    expect(problems).toEqual([]);
  });

  it('errors, under every status they are shown at', () => {
    let shown = 0;
    for (const { name, operation } of operations) {
      for (const [status, { content = {} }] of Object.entries(operation.responses)) {
        const { schema = {}, examples = {} } = content['application/json'] ?? {};
        for (const [code, { $ref }] of Object.entries(examples)) {
          const { value } = pointed($ref) as { value: { code: string } };
          const status_ = String(HTTP_STATUS[code as ErrorCode]);
          expect([name, value.code, status_]).toEqual([name, code, status]);
          expect([name, code, problemOf(schema, value)]).toEqual([name, code, undefined]);
          shown += 1;
        }
      }
    }
    expect(shown).toBeGreaterThan(500);
  });

  it('parameters and headers', () => {
    const all = operations.flatMap(({ operation }) => operation.parameters ?? []).filter((each) => each.$ref === undefined);
    const shared = Object.values({ ...whole.components['parameters'], ...whole.components['headers'] }) as Parameter[];
    const problems = [...all, ...shared]
      .filter(({ example }) => example !== undefined)
      .map(({ name, schema, example }) => [name, problemOf(schema, example)])
      .filter(([, problem]) => problem !== undefined);
    expect(problems).toEqual([]);
  });

  it('webhooks, every event of the list', () => {
    expect(Object.keys(whole.webhooks).sort()).toEqual([...WEBHOOK_EVENTS].sort());
    const signed = ['webhook-id', 'webhook-timestamp', 'webhook-signature', 'X-Webhook-Signature'];
    for (const [event, { post }] of Object.entries(whole.webhooks)) {
      const { schema = {}, example } = post.requestBody?.content['application/json'] ?? {};
      expect([event, problemOf(schema, example, 'api')]).toEqual([event, undefined]);
      expect((example as { event: string }).event).toBe(event);
      const headers = post.parameters?.map(({ $ref = '' }) => (pointed($ref) as Parameter).name);
      expect(headers).toEqual(expect.arrayContaining(signed));
    }
  });

  it('a wrong example is seen', () => {
    expect(problemOf({ $ref: '#/components/schemas/Payment' }, { payment_no: 'P' })).toContain('required');
    expect(problemOf({ $ref: '#/components/schemas/Dispute' }, { surplus: 1 })).toContain('additional');
    expect(problemOf({ $ref: '#/components/schemas/Error' }, { code: 'NO_SUCH_CODE', message: '', request_id: '' })).toContain('code');
  });
}); // prettier-ignore

describe('the document', () => {
  it('refers to nothing that is not there, and leaves nothing unused', () => {
    const refs = new Set([...JSON.stringify(whole).matchAll(/"\$ref":"(#[^"]+)"/g)].map(([, ref]) => ref ?? ''));
    expect([...refs].filter((ref) => pointed(ref) === undefined)).toEqual([]);
    const named = Object.entries(whole.components).flatMap(([kind, all]) =>
      Object.keys(all).map((name) => `#/components/${kind}/${name}`),
    );
    const unused = named.filter((ref) => !refs.has(ref) && !ref.includes('/securitySchemes/'));
    // A code of the frame that no route answers by itself, such as that of an address that does not exist.
    expect(unused.filter((ref) => !ref.includes('/examples/'))).toEqual([]);
  });

  it('has schemas of JSON Schema 2020-12', () => {
    const schemas = Object.entries(whole.components['schemas'] ?? {}) as [string, object][];
    expect(schemas.length).toBeGreaterThan(15);
    for (const [name, schema] of schemas)
      expect([name, ajv.validateSchema(schema), ajv.errors]).toEqual([name, true, null]);
  });

  it('names only formats that a reader can check', () => {
    const formats = new Set([...JSON.stringify(whole.paths).matchAll(/"format":"([^"]+)"/g)].map(([, name]) => name ?? ''));
    expect(formats.size).toBeGreaterThan(3);
    expect([...formats].filter((name) => ajv.formats[name] === undefined)).toEqual([]);
  });

  it('shows an answer of every code, with details where its sentence promises them', () => {
    const examples = Object.keys(whole.components['examples'] ?? {});
    expect(examples.sort()).toEqual(Object.keys(ERROR_MESSAGES).sort());
    for (const [code, sentence] of Object.entries(ERROR_MESSAGES)) {
      const names = [...sentence.matchAll(/details\.(\w+)/g)].map(([, name]) => name);
      const given = Object.keys(DETAILS[code as ErrorCode] ?? {});
      expect([code, names.filter((name) => !given.includes(name ?? ''))]).toEqual([code, []]);
    }
  });

  it('introduces what every route has in common', () => {
    for (const title of ['Authentication', 'Answers', 'Errors', 'Repeating safely', 'Limits', 'Lists', 'Webhooks'])
      expect(whole.info.description).toContain(`## ${title}\n`);
  });
}); // prettier-ignore
