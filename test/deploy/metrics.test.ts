/** Dashboards and alerts ask for metrics that exist, by labels that these have, in PromQL that is PromQL. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { knownMetrics } from './known-metrics';
import type { KnownMetrics } from './known-metrics';
import { readPromql } from './promql';

const DEPLOY = join(__dirname, '../../deploy');
const textOf = (path: string) => readFileSync(join(DEPLOY, path), 'utf8');
const filesIn = (folder: string) => readdirSync(join(DEPLOY, folder)).map((name) => join(folder, name));

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition: string }[] };
}
interface Asked {
  readonly where: string;
  readonly expr: string;
}

const RULES = filesIn('prometheus/rules').flatMap((path) =>
  (parse(textOf(path)) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules),
);
const BOARDS = filesIn('grafana/dashboards').map(
  (path) => [path, JSON.parse(textOf(path)) as Dashboard] as const,
);
const SCRAPED = parse(textOf('prometheus/prometheus.yml')) as { scrape_configs: { job_name: string }[] };
const JOBS = SCRAPED.scrape_configs.map(({ job_name }) => job_name);

function askedByDashboard([path, { panels, templating }]: readonly [string, Dashboard]): Asked[] {
  return [
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ where: `${path}: ${title}`, expr })),
    ),
    ...templating.list.map(({ name, definition }) => ({
      where: `${path}: $${name}`,
      expr: variableAsks(definition),
    })),
  ];
}

/** `label_values(metric, label)` as an expression that asks for the same. */
function variableAsks(definition: string): string {
  const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? [];
  return `count by (${label}) (${metric})`;
}

const ASKED: readonly Asked[] = [
  ...RULES.map(({ record, alert, expr }) => ({ where: record ?? alert ?? '', expr })),
  ...BOARDS.flatMap(askedByDashboard),
];

/** What a rule records has its labels, and those that its expression leaves. */
function withRecorded(known: KnownMetrics): KnownMetrics {
  const all = new Map([...known].map(([name, labels]) => [name, new Set(labels)]));
  for (const { record, labels = {} } of RULES) {
    if (record === undefined) continue;
    // An average over time keeps the labels of what it is taken of: all our objectives are told apart by this one.
    all.set(record, new Set([...(all.get(record) ?? []), ...Object.keys(labels), 'slo']));
  }
  return all;
}

function problemsOf({ where, expr }: Asked, known: KnownMetrics): string[] {
  const { selectors, grouping } = readPromql(expr);
  const has = (label: string) => selectors.some(({ metric }) => known.get(metric)?.has(label) === true);
  return [
    ...selectors.flatMap(({ metric, labels }) => {
      const its = known.get(metric);
      if (its === undefined) return [`${where}: there is no metric ${metric}`];
      return [...labels.keys()].flatMap((label) =>
        its.has(label) ? [] : [`${where}: ${metric} has no ${label}`],
      );
    }),
    ...grouping.flatMap((label) => (has(label) ? [] : [`${where}: nothing has ${label}`])),
    ...selectors.flatMap(({ labels }) => {
      const job = labels.get('job');
      return job === undefined || JOBS.includes(job) ? [] : [`${where}: nothing is scraped as ${job}`];
    }),
  ];
}

/** Their series are there from the start, at 0: an increase sees also the first event. */
const FROM_THE_START = ['holdfast_needs_attention_total', 'holdfast_channel_declines_total'];
const INCREASE = /increase\(((\w+)(?:\{[^}]*\})?)\[(\w+)\]\)/g;

/** Increases of what is counted from its first event, where what came before the first reading is left out. */
function blindIncreases(text: string): string[] {
  const expr = text.replaceAll('$__range', '1h').replace(/\s+/g, ' ');
  return [...expr.matchAll(INCREASE)].flatMap(([increase, its = '', metric = '', range = '']) => {
    const seeing = [
      `(${its} unless ${its} offset ${range}) or ${increase}`,
      `${increase} + (min_over_time(${its}[${range}]) unless last_over_time(${its}[1h] offset ${range})) or ${increase}`,
    ];
    const rest = seeing.reduce((left, form) => left.replaceAll(form, ''), expr);
    return FROM_THE_START.includes(metric) || !rest.includes(increase) ? [] : [increase];
  });
}

let known: KnownMetrics;
beforeAll(async () => {
  known = withRecorded(await knownMetrics());
});

describe('a mistake is seen:', () => {
  test.each([
    ['sum(rate(holdfast_http_request_total[5m]))', 'there is no metric holdfast_http_request_total'],
    ['rate(holdfast_http_request_duration_seconds[5m])', 'there is no metric'],
    ['temporal_workflow_task_failed', 'there is no metric'],
    ['holdfast:slo_errors:rate10m', 'there is no metric'],
    ['sum by (le) (persistence_latencies_bucket)', 'there is no metric'],
    ['holdfast_http_requests_total{code="500"}', 'has no code'],
    ['sum by (merchant) (holdfast_shed_total)', 'nothing has merchant'],
    ['up{job="workers"}', 'nothing is scraped as workers'],
  ])('%s', (expr, problem) => {
    expect(problemsOf({ where: 'x', expr }, known).join('\n')).toContain(problem);
  });

  test.each(['sum(rate(up[5m])', 'up ==', 'sum by le (up)'])('%s is no PromQL', (expr) => {
    expect(() => readPromql(expr)).toThrow('no PromQL');
  });
});

describe('what is asked for', () => {
  test('is a lot', () => {
    expect(known.size).toBeGreaterThan(150);
    expect(ASKED.length).toBeGreaterThan(100);
  });

  test('exists', () => expect(ASKED.flatMap((asked) => problemsOf(asked, known))).toEqual([]));

  test('is told from its first event', () => {
    expect(blindIncreases('sum(increase(x{a="b"}[5m])) > 0')).toEqual(['increase(x{a="b"}[5m])']);
    expect(blindIncreases('sum(increase(x[5m]) or (x unless x offset 5m))')).toHaveLength(1);
    expect(blindIncreases('sum by (y) ( (x unless x offset 5m)\n or increase(x[5m]))')).toEqual([]);
    expect(
      ASKED.flatMap(({ where, expr }) => blindIncreases(expr).map((blind) => `${where}: ${blind}`)),
    ).toEqual([]);
  });

  test('is shown with labels that are there', () => {
    const missing = BOARDS.flatMap(([path, { panels }]) =>
      panels.flatMap(({ title, targets = [] }) =>
        targets.flatMap(({ expr, legendFormat }) => {
          const { selectors, grouping } = readPromql(expr);
          const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
          const isGrouped = grouping.length > 0 && !expr.startsWith('holdfast:');
          const has = (label: string) =>
            isGrouped
              ? grouping.includes(label)
              : selectors.some(({ metric }) => known.get(metric)?.has(label));
          return shown.filter((label) => !has(label)).map((label) => `${path}: ${title}: {{${label}}}`);
        }),
      ),
    );
    expect(missing).toEqual([]);
  });
});

describe('rules', () => {
  test('every objective has a budget, errors and requests, and its windows', () => {
    const recorded = (name: string) =>
      RULES.filter(({ record }) => record === name)
        .map(({ labels }) => labels?.['slo'])
        .sort();
    const objectives = ['api', 'limits', 'pre_auth', 'routing', 'webhook_success', 'webhooks'];
    expect(recorded('holdfast:slo_budget')).toEqual(objectives);
    expect(recorded('holdfast:slo_errors:rate5m')).toEqual(objectives);
    expect(recorded('holdfast:slo_requests:rate5m')).toEqual(objectives);
  });

  test('every alert says how urgent it is, and what is the matter', () => {
    const alerts = RULES.filter(({ alert }) => alert !== undefined);
    const names = alerts.map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(
      expect.arrayContaining(['ChannelDown', 'LimiterFallback', 'NeedsAttention', 'WebhookWaits']),
    );
    const vague = alerts.filter(
      ({ labels, annotations }) =>
        !['page', 'ticket'].includes(labels?.['severity'] ?? '') ||
        !((annotations?.['summary'] ?? '').length > 20),
    );
    expect(vague).toEqual([]);
  });

  test('the tests of rules are of rules that exist', () => {
    const tests = textOf('prometheus/tests/alerts.test.yml');
    const tested = [...tests.matchAll(/alertname: (\w+)/g)].map(([, name]) => name);
    const names = RULES.map(({ alert }) => alert);
    expect(tested.length).toBeGreaterThan(3);
    expect(tested.filter((name) => !names.includes(name))).toEqual([]);
  });

  test('what is tested of dashboards is what they ask', () => {
    const tests = textOf('prometheus/tests/alerts.test.yml');
    const asked = ASKED.map(({ expr }) => expr.replaceAll('$world', 'live').replaceAll('$merchant', '.*'));
    const tested = [...tests.matchAll(/- expr: round\((.*), 100\)$/gm)].map(([, expr = '']) => expr);
    expect(tested.length).toBeGreaterThan(0);
    expect(tested.filter((expr) => !asked.includes(expr))).toEqual([]);
  });
});

describe.each(BOARDS)('%s', (_, { uid, panels }) => {
  test('has panels of its own that do not cover each other', () => {
    expect(uid).toMatch(/^holdfast-[a-z]+$/);
    const ids = panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const taken = new Map<string, string>();
    for (const { title, gridPos } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, taken.get(`${x},${y}`)]).toEqual([title, undefined]);
          taken.set(`${x},${y}`, title);
        }
    }
  });
});
