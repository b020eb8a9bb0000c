/** The comparison as an SVG chart: fees on the default channel alone and under each mode, one bar each, split by channel. */
import { CHANNELS } from '../../src/domain/channel';
import { DEFAULT_CHANNEL } from '../../src/domain/routing/default-config';
import type { ChannelSavings, Savings } from '../../src/domain/routing/savings';
import { grouped, percent, thousands } from './amounts';

const WIDTH = 760;
const MARGIN = 28;
const BARS_FROM = 148;
/** The rest of the line is for a sum and its saving. */
const BARS_TO = 540;
const BAR = 26;
const ROW = 44;
const HEAD = 92;
const GAP = 44;

/** For a white and for a dark page; told apart by lightness too. */
const COLORS: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  stripe: ['#5b5bd6', '#8d8df2'],
  paypal: ['#d97706', '#f0a94a'],
  alipay: ['#0e9384', '#35c2b0'],
  crypto: ['#8a8f98', '#a9b0bb'],
};

const STYLE = `
  text { font: 14px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif; fill: #1c2024 }
  .page { fill: #ffffff }
  .title { font-size: 17px; font-weight: 600 }
  .sum { font-variant-numeric: tabular-nums; font-weight: 600 }
  .quiet { fill: #60646c }
  .saved { fill: #067a55; font-weight: 600 }
  .more { fill: #b42318; font-weight: 600 }
  .axis { stroke: #c3c6cd }
${Object.entries(COLORS).map(([channel, [light]]) => `  .${channel} { fill: ${light} }\n`).join('')}
  @media (prefers-color-scheme: dark) {
    text { fill: #eceef2 }
    .page { fill: #16181d }
    .quiet { fill: #a3a8b3 }
    .saved { fill: #4bd5a0 }
    .more { fill: #ff8a80 }
    .axis { stroke: #4a4f59 }
${Object.entries(COLORS).map(([channel, [, dark]]) => `    .${channel} { fill: ${dark} }\n`).join('')}  }
`; // prettier-ignore

/** @param currencies for each currency one entry per mode @returns a whole SVG file, without anything from elsewhere */
export function savingsChart(currencies: readonly (readonly Savings[])[]): string {
  const panels: string[] = [];
  let top = 0;
  for (const all of currencies) {
    panels.push(`<g transform="translate(0 ${top})">\n${panel(all)}\n</g>`);
    top += HEAD + (all.length + 1) * ROW + GAP - (ROW - BAR);
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" role="img" aria-labelledby="title">
<title id="title">Fees on one channel alone and under each mode of routing</title>
<style>${STYLE}</style>
<rect class="page" width="${WIDTH}" height="${top}" rx="8"/>
${panels.join('\n')}
</svg>
`;
}

function panel(all: readonly Savings[]): string {
  const [first] = all;
  if (first === undefined) return '';
  const { currency, count, amount, feeAlone } = first;
  const longest = all.reduce((most, { feeRouted }) => (feeRouted > most ? feeRouted : most), feeAlone);
  // Whole numbers until here: what is drawn needs no cents.
  const widthOf = (fee: bigint) =>
    longest === 0n ? 0 : Math.round((Number(fee) / Number(longest)) * (BARS_TO - BARS_FROM) * 10) / 10;
  const alone = { channel: DEFAULT_CHANNEL, count, amount, fee: feeAlone };
  const bottom = HEAD + (all.length + 1) * ROW - (ROW - BAR) + 6;
  return [
    `<text class="title" x="${MARGIN}" y="38">Fees on ${thousands(count)} orders of together ${grouped(amount, currency)} ${currency}</text>`,
    legend(channelsOf(all)),
    row(0, `${DEFAULT_CHANNEL} alone`, [alone], widthOf, sumOf(feeAlone, currency)),
    ...all.map((one, at) =>
      row(
        at + 1,
        one.mode,
        one.channels,
        widthOf,
        `${sumOf(one.feeRouted, currency)}${outcomeOf(one, longest)}`,
      ),
    ),
    `<line class="axis" x1="${BARS_FROM - 0.5}" x2="${BARS_FROM - 0.5}" y1="${HEAD - 6}" y2="${bottom}"/>`,
  ].join('\n');
}

function row(
  at: number,
  name: string,
  parts: readonly ChannelSavings[],
  widthOf: (fee: bigint) => number,
  figures: string,
): string {
  const y = HEAD + at * ROW;
  let x = BARS_FROM;
  const segments = parts.flatMap(({ channel, fee }) => {
    const width = widthOf(fee);
    if (width === 0) return [];
    // A sliver of the page between neighbours.
    const segment = `<rect class="${channel}" x="${tenths(x)}" y="${y}" width="${tenths(Math.max(width - 1.5, 1))}" height="${BAR}" rx="2"/>`;
    x += width;
    return [segment];
  });
  const middle = y + BAR / 2 + 5;
  return [
    `<text x="${BARS_FROM - 12}" y="${middle}" text-anchor="end">${name}</text>`,
    ...segments,
    `<text class="sum" x="${tenths(x + 10)}" y="${middle}">${figures}</text>`,
  ].join('\n');
}

const tenths = (value: number) => Math.round(value * 10) / 10;

const sumOf = (fee: bigint, currency: string) => grouped(fee, currency);

function outcomeOf({ saved, savedBasisPoints }: Savings, longest: bigint): string {
  if (saved === 0n || longest === 0n) return '';
  const kind = saved > 0n ? 'saved' : 'more';
  return ` <tspan class="${kind}" dx="6">${percent(Math.abs(savedBasisPoints))} ${saved > 0n ? 'less' : 'more'}</tspan>`;
}

function channelsOf(all: readonly Savings[]): readonly string[] {
  const used = new Set(all.flatMap(({ channels }) => channels.map(({ channel }) => channel)));
  return CHANNELS.filter((channel) => channel === DEFAULT_CHANNEL || used.has(channel));
}

function legend(channels: readonly string[]): string {
  return channels
    .map((channel, at) => {
      const x = MARGIN + at * 104;
      return `<rect class="${channel}" x="${x}" y="55" width="12" height="12" rx="2"/><text class="quiet" x="${x + 18}" y="66">${channel}</text>`;
    })
    .join('\n');
}
