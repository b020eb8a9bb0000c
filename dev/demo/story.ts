/** How a story is told: a heading, one line per step with its amount and time, a table where time matters, checks with both sides' figures, a link. */
import { bold, dim, done, failed, money, took } from '../terminal';

export const CURRENCY = 'USD';
const AMOUNT_WIDTH = 12;
const SENTENCE_WIDTH = 68;

export class Story {
  readonly checks: boolean[] = [];

  constructor(
    title: string,
    about: string,
    readonly currency: string = CURRENCY,
  ) {
    console.log(`\n${bold(title)}\n${dim(about)}\n`);
  }

  /** @param minor the amount the step is about, in the currency's minor unit */
  line(minor: number | undefined, sentence: string, startedAt?: number): void {
    const amount = (minor === undefined ? '' : money(minor, this.currency)).padStart(AMOUNT_WIDTH);
    const time = startedAt === undefined ? '' : dim(took(startedAt).padStart(8));
    console.log(`${amount}   ${sentence.padEnd(time === '' ? 0 : SENTENCE_WIDTH)}${time}`);
  }

  /** Carries out a step and tells of it when it is done. @throws what the step throws */
  async step<T>(
    minor: number | undefined,
    sentence: string | ((result: T) => string),
    work: () => Promise<T>,
  ) {
    const startedAt = Date.now();
    const result = await work();
    this.line(minor, typeof sentence === 'string' ? sentence : sentence(result), startedAt);
    return result;
  }

  /** @param rows the first is the heading; the others have as many columns */
  table(rows: readonly (readonly string[])[]): void {
    const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
    console.log();
    for (const [n, row] of rows.entries()) {
      const line = row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('   ');
      const text = `${' '.repeat(AMOUNT_WIDTH)}   ${line}`.trimEnd();
      console.log(n === 0 ? dim(text) : text);
    }
  }

  check(isTrue: boolean, who: string, figures: string): void {
    if (this.checks.length === 0) console.log();
    this.checks.push(isTrue);
    (isTrue ? done : failed)(`${who.padEnd(15)} ${figures}`);
  }

  link(name: string, address: string): void {
    console.log(`    ${dim(name.padEnd(15))} ${address}`);
  }
}
