/** What a bench leaves: a table to read, and one JSON object as its last line and under bench/results. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bold, dim } from '../dev/terminal';
import { median } from './stats';

export type Unit = 'per second' | 's' | 'ms' | 'count' | 'CPU s per 1000' | 'CPU ms each';
const SHORT: Readonly<Record<Unit, string>> = {
  'per second': '/s',
  s: 's',
  ms: 'ms',
  count: '',
  'CPU s per 1000': 's/1000',
  'CPU ms each': 'CPU ms',
};

/** Of the ratio to the reference, or of the value itself. */
export type Goal =
  | { readonly atLeast: number }
  | { readonly atMost: number }
  | { readonly valueAtLeast: number }
  | { readonly valueAtMost: number };

/** One figure as measured in each round of one run: ours, and a reference where there is one. */
export interface Series {
  readonly name: string;
  readonly unit: Unit;
  readonly ours: readonly number[];
  readonly reference?: readonly number[];
  /** What the reference is, when it is not that of the whole table. */
  readonly against?: string;
  /** Shown, never enforced: a bench measures. */
  readonly goal?: Goal;
}

export interface Figure {
  readonly value: number;
  readonly unit: Unit;
  /** The reference's value. */
  readonly against?: number;
  /** Median over the rounds of value / against; not the quotient of the two medians. */
  readonly ratio?: number;
}

const ratiosOf = ({ ours, reference }: Series) =>
  reference === undefined ? [] : ours.map((value, round) => value / (reference[round] ?? NaN));

const tidy = (value: number) => Number(value.toPrecision(4));

function figureOf(series: Series): Figure {
  const value = { value: tidy(median(series.ours)), unit: series.unit };
  if (series.reference === undefined) return value;
  return { ...value, against: tidy(median(series.reference)), ratio: tidy(median(ratiosOf(series))) };
}

/** Median with the lowest and the highest round behind it. */
function spread(values: readonly number[], digits: number): string {
  if (values.length === 0) return ''.padEnd(22);
  const [low, high] = [Math.min(...values).toFixed(digits), Math.max(...values).toFixed(digits)];
  return `${median(values).toFixed(digits).padStart(6)} ${dim(`${low} to ${high}`.padEnd(15))}`;
}

function wishOf(series: Series): string {
  const { goal, ours } = series;
  if (goal === undefined) return '';
  const [value, ratio] = [median(ours), median(series.reference === undefined ? [NaN] : ratiosOf(series))];
  const [wish, met] =
    'atLeast' in goal
      ? [`ratio at least ${goal.atLeast}`, ratio >= goal.atLeast]
      : 'atMost' in goal
        ? [`ratio at most ${goal.atMost}`, ratio <= goal.atMost]
        : 'valueAtLeast' in goal
          ? [`at least ${goal.valueAtLeast}`, value >= goal.valueAtLeast]
          : [`at most ${goal.valueAtMost}`, value <= goal.valueAtMost];
  return `${wish}${met ? '' : '  (missed)'}`;
}

function row(series: Series): string {
  // Small numbers need their decimals.
  const digits = median(series.ours) < 5 ? 2 : 1;
  const columns = [
    spread(series.ours, digits),
    spread(series.reference ?? [], digits),
    spread(ratiosOf(series), 2),
    wishOf(series).padEnd(20),
  ];
  const against = series.against === undefined ? '' : dim(`  against ${series.against}`);
  return `  ${series.name.padEnd(16)} ${SHORT[series.unit].padEnd(6)} ${columns.join('   ')}${against}`;
}

/** Prints the table and, last, the JSON line. @param against names the reference, at most 20 characters */
export function report(bench: string, against: string, all: readonly Series[]): void {
  const heads = ['Holdfast', against, 'ratio'].map((head) => head.padStart(8).padEnd(22));
  console.log(`\n  ${bold(`${'figure'.padEnd(23)} ${heads.join('   ')}   goal`)}`);
  for (const series of all) console.log(row(series));
  console.log(`\n  ${dim('median over the rounds, then the lowest and the highest round')}\n`);
  const figures = Object.fromEntries(all.map((series) => [series.name, figureOf(series)]));
  const line = JSON.stringify({ bench, figures });
  const folder = join(__dirname, 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${bench}.json`), `${line}\n`);
  console.log(line);
}
