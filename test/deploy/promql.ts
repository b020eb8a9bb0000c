/** What an expression of PromQL asks for, read with Prometheus' own grammar. */
import { createRequire } from 'node:module';

interface Node {
  readonly name: string;
  readonly parent: Node | null;
}
interface Met {
  readonly type: { readonly name: string; readonly isError: boolean };
  readonly node: Node;
  readonly from: number;
  readonly to: number;
}
interface Grammar {
  readonly parser: { parse(text: string): { iterate(spec: { enter(met: Met): void }): void } };
}
// It has code for CommonJS, but types only for ES modules.
const { parser } = createRequire(__filename)('@prometheus-io/lezer-promql') as Grammar;

export interface Selector {
  readonly metric: string;
  /** Labels it is selected by, with the value where it is one and no pattern. */
  readonly labels: ReadonlyMap<string, string | undefined>;
}

export interface Expression {
  readonly selectors: readonly Selector[];
  /** Labels that are grouped and joined by. */
  readonly grouping: readonly string[];
}

/**
 * @param text PromQL; Grafana's `$__rate_interval` and `$__range` stand for durations
 * @throws Error that quotes the expression when it is none
 */
export function readPromql(text: string): Expression {
  const query = text.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '1h');
  const selectors: { metric: string; labels: Map<string, string | undefined> }[] = [];
  const grouping: string[] = [];
  parser.parse(query).iterate({
    enter({ type, node, from, to }) {
      const word = query.slice(from, to);
      if (type.isError) throw new Error(`no PromQL at ${from}: ${query}`);
      if (type.name === 'Identifier') selectors.push({ metric: word, labels: new Map() });
      if (type.name !== 'LabelName') return;
      if (node.parent?.name === 'GroupingLabels') grouping.push(word);
      else {
        const [, operator, value] = /^\s*(=~|!~|!=|=)\s*["']([^"']*)["']/.exec(query.slice(to)) ?? [];
        selectors.at(-1)?.labels.set(word, operator === '=' ? value : undefined);
      }
    },
  });
  return { selectors, grouping };
}
