/** npm run routing:savings: reading of CSV files, table, chart, and the figures of the reference. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { grouped, percent } from '../../dev/savings/amounts';
import { savingsChart } from '../../dev/savings/chart';
import { CSV_LIMITS, readOrders } from '../../dev/savings/csv';
import { smallAmounts } from '../../dev/savings/small-amounts';
import { savingsTable } from '../../dev/savings/table';
import { typescriptArgs } from '../../dev/stack/paths';
import { REFERENCE_CONFIG, REFERENCE_MONTH } from '../../src/domain/routing/reference-month';
import { savingsOf } from '../../src/domain/routing/savings';
import { ROUTING_MODES } from '../../src/domain/routing/types';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-savings-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(text: string, name = 'orders.csv'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const read = (text: string) => readOrders(fileOf(text));
const problems = async (text: string) =>
  (await read(text)).problems.map(({ line, column, sentence }) => `${line} ${column ?? ''}: ${sentence}`);

const reference = ROUTING_MODES.map(
  (mode) => savingsOf(REFERENCE_MONTH, REFERENCE_CONFIG, mode)[0] ?? fail(mode),
);

function fail(mode: string): never {
  throw new Error(`nothing for ${mode}`);
}

describe('a CSV file of orders', () => {
  test('columns in any order, names and codes in any case, equal lines added up', async () => {
    const text =
      '\uFEFFCurrency,amount,COUNTRY,count,allowed_channels\r\n' +
      'usd,1000,us,2,\r\n' +
      '\r\n' +
      '"EUR",500,,,"stripe|paypal"\r\n' +
      'USD, 1000 ,US,3,\r\n' +
      'JPY,7,,1,alipay; stripe';
    expect(await read(text)).toEqual({
      problems: [],
      orders: [
        { amount: 1_000, currency: 'USD', count: 5, country: { code: 'US', source: 'explicit' } },
        { amount: 500, currency: 'EUR', count: 1, allowedChannels: ['stripe', 'paypal'] },
        { amount: 7, currency: 'JPY', count: 1, allowedChannels: ['stripe', 'alipay'] },
      ],
    });
  });

  test('a column that is not there is the default', async () => {
    const { orders } = await read('amount,currency\n1,USD\n1,USD\n');
    expect(orders).toEqual([{ amount: 1, currency: 'USD', count: 2 }]);
  });

  test.each([
    ['0 : the file is empty', ''],
    ['1 : no order follows the header', 'amount,currency\n'],
    [
      '1 colour: there is no such column; the columns are amount, currency,',
      'amount,colour,currency\n1,red,USD',
    ],
    ['1 currency: it is missing', 'amount\n1'],
    ['1 amount: it is named twice', 'amount,currency,amount\n1,USD,1'],
    ['2 amount: "10.50" is no whole number of minor units (1234 is 12.34 USD)', 'amount,currency\n10.50,USD'],
    ['2 amount: "0" is no whole number', 'amount,currency\n0,USD'],
    ['2 amount: "-5" is no whole number', 'amount,currency\n-5,USD'],
    ['2 amount: "9007199254740992" is no whole number', 'amount,currency\n9007199254740992,USD'],
    ['2 amount: "" is no whole number', 'amount,currency\n,USD'],
    ['2 currency: "XYZ" is no currency of ISO 4217', 'amount,currency\n1,XYZ'],
    ['2 country: "Germany" is no code of ISO 3166', 'amount,currency,country\n1,USD,Germany'],
    ['2 count: "1e3" is no whole number from 1 to 10000000', 'amount,currency,count\n1,USD,1e3'],
    ['2 allowed_channels: "klarna" is no channel', 'amount,currency,allowed_channels\n1,USD,stripe|klarna'],
    ['2 allowed_channels: "|" is no channel', 'amount,currency,allowed_channels\n1,USD,|'],
    ['2 : it has 3 columns, the header has 2', 'amount,currency\n1,USD,5'],
    ['2 : a quote is not closed, or text follows it', 'amount,currency\n1,"USD'],
    ['2 : a quote is not closed, or text follows it', 'amount,currency\n1,"USD"x'],
    ['2 : a line has at most 1000 characters', `amount,currency\n1,${'U'.repeat(1_000)}`],
    ['1 : a line has at most 1000 characters', `${'a'.repeat(5_000_000)}`],
    [
      '3 count: all lines together stand for at most 10000000',
      'amount,currency,count\n1,USD,10000000\n1,EUR,1',
    ],
  ])('refused: %s', async (expected, text) => {
    const [first = ''] = await problems(text);
    expect(first.slice(0, expected.length)).toBe(expected);
  });

  test('all that is wrong with a line is told, and the lines after it are read', async () => {
    expect(await problems('amount,currency,count\nx,y,z\n1,USD,1\n2,QQQ,1')).toEqual([
      expect.stringContaining('2 currency:'),
      expect.stringContaining('2 amount:'),
      expect.stringContaining('2 count:'),
      expect.stringContaining('4 currency:'),
    ]);
  });

  test('a file that is wrong throughout is not read to its end', async () => {
    const found = await problems(`amount,currency\n${'x,USD\n'.repeat(1_000)}`);
    expect(found).toHaveLength(CSV_LIMITS.problems);
  });

  test('a long line in the middle hides nothing after it', async () => {
    const found = await problems(`amount,currency\n${'9'.repeat(300_000)}\n1,QQQ\n`);
    expect(found).toEqual(['2 : a line has at most 1000 characters', expect.stringContaining('3 currency:')]);
  });

  test('a million lines are read, one more is refused', async () => {
    expect(await read(`amount,currency\n${'1,USD\n'.repeat(CSV_LIMITS.lines + 1)}`)).toEqual({
      orders: [{ amount: 1, currency: 'USD', count: CSV_LIMITS.lines }],
      problems: [
        { line: CSV_LIMITS.lines + 2, sentence: `a file has at most ${CSV_LIMITS.lines} lines of orders` },
      ],
    });
  });
});

test.each([
  [1_520_000n, 'USD', '15 200.00'],
  [5n, 'USD', '0.05'],
  [-21_900n, 'EUR', '-219.00'],
  [1_234_567n, 'JPY', '1 234 567'],
  [1_234_567n, 'KWD', '1 234.567'],
])('%d of %s is %s', (minor, currency, expected) => expect(grouped(minor, currency)).toBe(expected));

test.each([
  [5_250, '52.5 %'],
  [8_125, '81.25 %'],
  [0, '0.0 %'],
  [-157, '-1.57 %'],
])('%d is %s', (basisPoints, expected) => expect(percent(basisPoints)).toBe(expected));

test('the table says 32 000.00 alone, 15 200.00 routed, 52.5 % for every mode', () => {
  const [heading, ...lines] = savingsTable(reference);
  expect(heading).toBe('10 000 orders, 1 000 000.00 USD; on stripe alone 32 000.00 USD of fees');
  for (const mode of ROUTING_MODES) {
    const row = lines.find((line) => line.startsWith(mode))?.split(/ {2,}/);
    expect(row?.slice(-4)).toEqual(['32 000.00', '15 200.00', '16 800.00', '52.5 %']);
  }
  expect(lines.filter((line) => /alipay +6 458 +646 200\.00 +3 877\.20$/.test(line))).toHaveLength(4);
});

test('"85 % and more" is said of what it is true of', () => {
  expect(smallAmounts(REFERENCE_CONFIG).at(-1)).toBe(
    '85 % and more is saved at 10.00 (89.8 %); less at 100.00 (81.3 %), 1 000.00 (79.5 %), 10 000.00 (79.3 %).',
  );
});

describe('the chart', () => {
  test('that is committed is the one of the reference', () => {
    const committed = readFileSync(join(__dirname, '../../docs/routing-savings.svg'), 'utf8');
    expect(savingsChart([reference])).toBe(committed);
  });

  test('has a bar for the default channel and one per mode, as long as their fees', () => {
    const svg = savingsChart([reference]);
    const bars = [...svg.matchAll(/<rect class="(\w+)"[^>]* width="([\d.]+)" height="26"/g)];
    const [alone, ...others] = bars.map(([, channel, width]) => [channel, Number(width)] as const);
    expect(others).toHaveLength(8);
    const share = (others[0]?.[1] ?? 0) + (others[1]?.[1] ?? 0);
    expect(share / (alone?.[1] ?? 1)).toBeCloseTo(0.475, 1);
    expect(svg.match(/52\.5 % less/g)).toHaveLength(4);
    expect(svg).not.toMatch(/href|<script|NaN|undefined/);
  });

  test('without any fee it is still a chart', () => {
    const free = savingsOf(
      [{ count: 1, amount: 1, currency: 'USD', allowedChannels: ['crypto'] }],
      REFERENCE_CONFIG,
      'cost',
    );
    expect(savingsChart([free])).not.toMatch(/NaN|Infinity/);
  });
});

describe('the command', () => {
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, [...typescriptArgs('dev/savings/main.ts'), ...args]).then(
      ({ stdout }) => ({ code: 0, text: stdout }),
      ({ code, stderr }: { code: number; stderr: string }) => ({ code, text: stderr }),
    );

  test('prints one mode and writes its chart', async () => {
    const svg = join(folder, 'sub/chart.svg');
    const { code, text } = await run('--mode', 'cost', '--svg', svg);
    expect(code).toBe(0);
    expect(text).toContain('16 800.00  52.5 %');
    expect(text).not.toContain('geographic');
    expect(readFileSync(svg, 'utf8')).toContain('>cost</text>');
  });

  test.each([
    [['--csv', 'nowhere.csv'], 'nowhere.csv cannot be read: ENOENT'],
    [['--mode', 'cheap'], 'There is no mode "cheap".'],
    [['--colour'], "Unknown option '--colour'"],
  ])('%j is refused with a sentence', async (args, sentence) => {
    const { code, text } = await run(...args);
    expect(code).toBe(2);
    expect(text).toContain(sentence);
    expect(text).not.toContain('    at ');
  });

  test('names file, line and column of what is wrong', async () => {
    const { code, text } = await run('--csv', fileOf('amount,currency\n1.5,USD\n', 'bad.csv'));
    expect(code).toBe(2);
    expect(text).toMatch(/bad\.csv, line 2, column amount: "1\.5" is no whole number/);
  });
});
