/** What a bench leaves: a table to read, and one JSON object as its last line and under bench/results. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bold, dim } from '../dev/terminal';
import { median } from './stats';

export type Unit = 'per second' | 'ms';

/** One figure: ours against a reference, as measured in each round of the same run. */
export interface Series {
  readonly name: string;
  readonly unit: Unit;
  readonly ours: readonly number[];
  readonly reference: readonly number[];
  /** What the ratio should come to; shown, never enforced: a bench measures. */
  readonly goal: { readonly atLeast: number } | { readonly atMost: number };
}

export interface Figure {
  readonly value: number;
  readonly unit: Unit;
  /** The reference's value. */
  readonly against: number;
  /** Median over the rounds of value / against; not the quotient of the two medians. */
  readonly ratio: number;
}

const ratiosOf = (series: Series) =>
  series.ours.map((value, round) => value / (series.reference[round] ?? NaN));

const tidy = (value: number) => Number(value.toPrecision(4));

function figureOf(series: Series): Figure {
  return {
    value: tidy(median(series.ours)),
    unit: series.unit,
    against: tidy(median(series.reference)),
    ratio: tidy(median(ratiosOf(series))),
  };
}

/** Median with the lowest and the highest round behind it. */
function spread(values: readonly number[], digits: number): string {
  const [low, high] = [Math.min(...values).toFixed(digits), Math.max(...values).toFixed(digits)];
  return `${median(values).toFixed(digits).padStart(6)} ${dim(`${low} to ${high}`.padEnd(15))}`;
}

function row(series: Series): string {
  const ratios = ratiosOf(series);
  const ratio = median(ratios);
  const { goal } = series;
  const met = 'atLeast' in goal ? ratio >= goal.atLeast : ratio <= goal.atMost;
  const wish = 'atLeast' in goal ? `at least ${goal.atLeast}` : `at most ${goal.atMost}`;
  const unit = series.unit === 'ms' ? 'ms' : '/s';
  const columns = [spread(series.ours, 1), spread(series.reference, 1), spread(ratios, 2)];
  return `  ${series.name.padEnd(16)} ${unit.padEnd(3)} ${columns.join('   ')}   ${wish}${met ? '' : '  (missed)'}`;
}

/** Prints the table and, last, the JSON line. @param against names the reference, at most 20 characters */
export function report(bench: string, against: string, all: readonly Series[]): void {
  const heads = ['Holdfast', against, 'ratio'].map((head) => head.padStart(8).padEnd(22));
  console.log(`\n  ${bold(`${'figure'.padEnd(20)} ${heads.join('   ')}   goal for the ratio`)}`);
  for (const series of all) console.log(row(series));
  console.log(`\n  ${dim('median over the rounds, then the lowest and the highest round')}\n`);
  const figures = Object.fromEntries(all.map((series) => [series.name, figureOf(series)]));
  const line = JSON.stringify({ bench, figures });
  const folder = join(__dirname, 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${bench}.json`), `${line}\n`);
  console.log(line);
}
