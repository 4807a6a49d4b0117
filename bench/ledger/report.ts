import type { Measurement } from './measure.js';

const WIDTH = 12;
const TITLES = ['pairs/s', 'hold p50', 'p99 ms', 'settle p50', 'p99 ms', 'Postgres %', 'given up'];

/** A block per number of callers: each contestant, and how the first compares with the second. */
export function table(measurements: Measurement[]): string {
  const blocks = [...new Set(measurements.map(({ callers }) => callers))].map((callers) => {
    const rows = measurements.filter((row) => row.callers === callers);
    return [line(`${callers} callers`, TITLES), ...rows.map(rowOf), ...ratio(rows)].join('\n');
  });
  return blocks.join('\n\n');
}

const rowOf = ({ name, perSecond, hold, settle, postgresCore, unconfirmed }: Measurement): string =>
  line(name, [
    figure(perSecond, 0),
    figure(hold.p50, 2),
    figure(hold.p99, 2),
    figure(settle.p50, 2),
    figure(settle.p99, 2),
    figure(postgresCore, 0),
    unconfirmed === 0 ? '' : figure(unconfirmed, 0),
  ]);

function ratio([weir, naive]: Measurement[]): string[] {
  return weir && naive ? [line(`${weir.name} / ${naive.name}`, [`${(weir.perSecond / naive.perSecond).toFixed(1)}x`])] : [];
}

const figure = (value: number, digits: number): string =>
  Number.isNaN(value)
    ? '-'
    : value.toLocaleString('en-US', {
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      });

const line = (name: string, cells: string[]): string =>
  `  ${name.padEnd(14)}${cells.map((text) => text.padStart(WIDTH)).join('')}`.trimEnd();
