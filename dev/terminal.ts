/** Calm output: a mark and a line each. */
const isTty = process.stdout.isTTY === true;
const hasColor = isTty && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';

const paint = (code: number) => (text: string) => (hasColor ? `\u001b[${code}m${text}\u001b[0m` : text);
export const bold = paint(1);
export const dim = paint(2);
export const green = paint(32);
export const red = paint(31);

export const done = (line: string): void => console.log(`  ${green('✓')} ${line}`);
export const note = (line: string): void => console.log(`  ${dim('·')} ${dim(line)}`);
export const failed = (line: string): void => console.error(`  ${red('✗')} ${line}`);

/** Rows of two columns, the first padded. */
export function table(rows: readonly (readonly [string, string])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) console.log(`  ${dim(name.padEnd(width))}  ${value}`);
}

/** @param minor an amount in cents: the demo's currencies have two decimals */
export const money = (minor: number, currency: string): string => `${(minor / 100).toFixed(2)} ${currency}`;

export const took = (startedAt: number): string => {
  const ms = Date.now() - startedAt;
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`;
};
