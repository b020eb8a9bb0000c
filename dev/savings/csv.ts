/**
 * Orders out of a CSV file: a header, then one line per order or per `count` equal orders. Read as a stream; equal lines
 * are added up.
 */
import { createReadStream } from 'node:fs';
import { CHANNELS } from '../../src/domain/channel';
import type { ChannelName } from '../../src/domain/channel';
import { currencyExponent } from '../../src/domain/money';
import type { SavingsOrder } from '../../src/domain/routing/savings';

export const CSV_COLUMNS = ['amount', 'currency', 'country', 'allowed_channels', 'count'] as const;
type Column = (typeof CSV_COLUMNS)[number];
const REQUIRED: readonly Column[] = ['amount', 'currency'];

/** `orders`: of all lines together; each of them may be routed on its own. */
export const CSV_LIMITS = { lines: 1_000_000, lineCharacters: 1_000, orders: 10_000_000, problems: 20 };

/** What is wrong, and where: 1 is the header's line. */
export interface CsvProblem {
  readonly line: number;
  readonly column?: string;
  readonly sentence: string;
}

/** With problems the orders are not complete. Reading ends at the first that concerns the whole file, or at the 20th. */
export interface CsvOrders {
  readonly orders: readonly SavingsOrder[];
  readonly problems: readonly CsvProblem[];
}

/** @throws Error as of the file system when the file cannot be read */
export async function readOrders(path: string): Promise<CsvOrders> {
  const reading = new Reading();
  for await (const line of linesOf(path)) if (!reading.take(line)) break;
  return reading.result();
}

const TOO_LONG = Symbol('a line that is too long');
const BOM = '\uFEFF';

/** Lines without their ends. Of one that is too long nothing is kept, however long it is. */
async function* linesOf(path: string): AsyncGenerator<string | typeof TOO_LONG> {
  let rest = '';
  let isTooLong = false;
  for await (const chunk of createReadStream(path, { encoding: 'utf8' }) as AsyncIterable<string>) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      yield isTooLong || part.length > CSV_LIMITS.lineCharacters ? TOO_LONG : part.replace(/\r$/, '');
      isTooLong = false;
    }
    if (rest.length <= CSV_LIMITS.lineCharacters) continue;
    isTooLong = true;
    rest = '';
  }
  if (isTooLong) yield TOO_LONG;
  else if (rest !== '') yield rest.replace(/\r$/, '');
}

/** Equal orders, whatever their lines look like. */
interface Sum {
  readonly order: Omit<SavingsOrder, 'count'>;
  count: number;
}

class Reading {
  private line = 0;
  private columns: readonly Column[] | undefined;
  private count = 0;
  /** Lines that are good, by their text: most files repeat themselves. */
  private readonly known = new Map<string, { readonly sum: Sum; readonly count: number }>();
  private readonly sums = new Map<string, Sum>();
  private readonly problems: CsvProblem[] = [];

  /** @returns whether to go on */
  take(text: string | typeof TOO_LONG): boolean {
    this.line += 1;
    if (text === TOO_LONG) {
      const sentence = `a line has at most ${CSV_LIMITS.lineCharacters} characters`;
      return this.columns === undefined ? this.stop(sentence) : this.complain(sentence);
    }
    if (this.columns === undefined) return this.takeHeader(text.replace(BOM, ''));
    if (this.line > CSV_LIMITS.lines + 1)
      return this.stop(`a file has at most ${CSV_LIMITS.lines} lines of orders`);
    return text.trim() === '' || this.takeOrder(text, this.columns);
  }

  result(): CsvOrders {
    if (this.line === 0)
      this.complain(`the file is empty; its first line names the columns: ${CSV_COLUMNS.join(', ')}`);
    else if (this.sums.size === 0 && this.problems.length === 0) this.complain('no order follows the header');
    const orders = [...this.sums.values()].map(({ order, count }) => ({ ...order, count }));
    return { orders, problems: this.problems };
  }

  private takeHeader(text: string): boolean {
    const names = (cellsOf(text) ?? []).map((name) => name.trim().toLowerCase());
    const unknown = names.find((name) => !isColumn(name));
    const missing = REQUIRED.find((name) => !names.includes(name));
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    const known = `the columns are ${CSV_COLUMNS.join(', ')}; ${REQUIRED.join(' and ')} are required`;
    if (unknown !== undefined) return this.stop(`there is no such column; ${known}`, unknown);
    if (missing !== undefined) return this.stop(`it is missing; ${known}`, missing);
    if (twice !== undefined) return this.stop('it is named twice', twice);
    this.columns = names.filter(isColumn);
    return true;
  }

  private takeOrder(text: string, columns: readonly Column[]): boolean {
    let known = this.known.get(text);
    if (known === undefined) {
      const order = this.parse(text, columns);
      if (order === undefined) return this.problems.length < CSV_LIMITS.problems;
      known = { sum: this.sumOf(order), count: order.count };
      this.known.set(text, known);
    }
    this.count += known.count;
    if (this.count > CSV_LIMITS.orders)
      return this.stop(`all lines together stand for at most ${CSV_LIMITS.orders} orders`, 'count');
    known.sum.count += known.count;
    return true;
  }

  /** Undefined after a complaint. */
  private parse(text: string, columns: readonly Column[]): SavingsOrder | undefined {
    const cells = cellsOf(text);
    if (cells?.length !== columns.length) {
      const found = cells && `it has ${cells.length} columns, the header has ${columns.length}`;
      this.complain(found ?? 'a quote is not closed, or text follows it');
      return undefined;
    }
    const row: Partial<Record<Column, string>> = {};
    for (const [at, column] of columns.entries()) row[column] = (cells[at] ?? '').trim();
    return orderOf(row, (column, sentence) => void this.complain(sentence, column));
  }

  private sumOf({ count: _, ...order }: SavingsOrder): Sum {
    const key = JSON.stringify(order);
    const sum = this.sums.get(key) ?? { order, count: 0 };
    this.sums.set(key, sum);
    return sum;
  }

  /** @returns whether to go on */
  private complain(sentence: string, column?: string): boolean {
    this.problems.push({ line: this.line, sentence, ...(column !== undefined && { column }) });
    return this.problems.length < CSV_LIMITS.problems;
  }

  private stop(sentence: string, column?: string): false {
    this.complain(sentence, column);
    return false;
  }
}

function isColumn(name: string): name is Column {
  return (CSV_COLUMNS as readonly string[]).includes(name);
}

type Complain = (column: Column, sentence: string) => undefined;

/** Undefined after a complaint. Every column is looked at, so that one run tells of all that is wrong. */
function orderOf(row: Partial<Record<Column, string>>, complain: Complain): SavingsOrder | undefined {
  const currency = currencyOf(row.currency ?? '', complain);
  const amount = wholeNumber('amount', row.amount ?? '', Number.MAX_SAFE_INTEGER, complain);
  const count = wholeNumber('count', row.count || '1', CSV_LIMITS.orders, complain);
  const country = countryOf(row.country ?? '', complain);
  const allowed = allowedOf(row.allowed_channels ?? '', complain);
  if ([currency, amount, count, country, allowed].includes(undefined)) return undefined;
  return {
    amount: amount ?? 0,
    currency: currency ?? '',
    count: count ?? 0,
    ...(country !== '' && { country: { code: country ?? '', source: 'explicit' } }),
    ...(allowed !== 'all' && { allowedChannels: allowed ?? [] }),
  };
}

function currencyOf(text: string, complain: Complain): string | undefined {
  const code = text.toUpperCase();
  if (currencyExponent(code) !== undefined) return code;
  return complain('currency', `${shown(text)} is no currency of ISO 4217, such as USD`);
}

function wholeNumber(column: Column, text: string, max: number, complain: Complain): number | undefined {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= max) return number;
  const unit = column === 'amount' ? ' of minor units (1234 is 12.34 USD)' : '';
  return complain(column, `${shown(text)} is no whole number${unit} from 1 to ${max}`);
}

function countryOf(text: string, complain: Complain): string | undefined {
  const code = text.toUpperCase();
  if (code === '' || /^[A-Z]{2}$/.test(code)) return code;
  return complain('country', `${shown(text)} is no code of ISO 3166 with two letters, such as DE`);
}

function allowedOf(text: string, complain: Complain): readonly ChannelName[] | 'all' | undefined {
  if (text === '') return 'all';
  const names = text
    .toLowerCase()
    .split(/[|; ]+/)
    .filter((name) => name !== '');
  const known = CHANNELS.filter((channel) => names.includes(channel));
  const unknown = names.find((name) => !CHANNELS.some((channel) => channel === name));
  if (unknown === undefined && known.length > 0) return known;
  const list = CHANNELS.join(', ');
  return complain(
    'allowed_channels',
    `${shown(unknown ?? text)} is no channel; write some of ${list} with | between`,
  );
}

const shown = (text: string) => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);

/** The cells of one line; quoted ones may hold commas and doubled quotes, but no line's end. Undefined: quotes are wrong. */
function cellsOf(line: string): string[] | undefined {
  if (!line.includes('"')) return line.split(',');
  const cells: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const match = cell.exec(line);
    if (match === null) return undefined;
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] !== ',') return cells;
  }
}
