/** A line of a table: a name and what was measured, round by round. */
export interface Row {
  name: string;
  rounds: Measurement[];
}

export interface Measurement {
  callsPerSecond: number;
  p50: number;
  p99: number;
  /** Of the proxy, in µs per call. */
  cpu: number;
  /** How much of its core the proxy used, in percent. */
  core: number;
  /** Of Postgres, in µs per call; NaN where there is none. */
  postgres: number;
}

type Column = [title: string, of: keyof Measurement, digits: number];

const LOAD: Column[] = [
  ['calls/s', 'callsPerSecond', 0],
  ['p50 ms', 'p50', 2],
  ['p99 ms', 'p99', 2],
  ['CPU µs', 'cpu', 1],
  ['core %', 'core', 0],
  ['Postgres µs', 'postgres', 1],
];
const LATENCY: Column[] = [
  ['p50 ms', 'p50', 2],
  ['p99 ms', 'p99', 2],
];
const WIDTH = 13;
const NAME_WIDTH = 22;

/** Medians of a closed loop, and how Weir, the last row, compares with nginx, the first. */
export function loadTable(title: string, rows: Row[]): string {
  const lines = [
    title,
    line('', ...LOAD.map(([name]) => name)),
    ...rows.map((row) => line(row.name, ...LOAD.map((column) => cell(row, column)))),
  ];
  if (rows.length < 2) return lines.join('\n');
  const [nginx, weir] = [rows[0]!, rows.at(-1)!];
  const ratio = (of: keyof Measurement) => `${(medianOf(weir, of) / medianOf(nginx, of)).toFixed(2)}x`;
  return [...lines, line('Weir / nginx', ratio('callsPerSecond'), ratio('p50'), ratio('p99'), ratio('cpu'))].join('\n');
}

/** Medians of a steady load, and what each row adds to the first, which goes straight to the provider. */
export function latencyTable(title: string, rows: Row[]): string {
  const added = (row: Row, of: keyof Measurement) =>
    row === rows[0] ? '' : (medianOf(row, of) - medianOf(rows[0]!, of)).toLocaleString('en-US', { ...decimals(2), signDisplay: 'always' });
  const header = line('', ...LATENCY.map(([name]) => name), 'added p50', 'added p99');
  const body = rows.map((row) => line(row.name, ...LATENCY.map((column) => cell(row, column)), added(row, 'p50'), added(row, 'p99')));
  return [title, header, ...body].join('\n');
}

/** Medians of the CPU that kinds of calls take, and how they compare with the first kind. */
export function costTable(title: string, rows: Row[]): string {
  const ratio = (row: Row) => `${(medianOf(row, 'cpu') / medianOf(rows[0]!, 'cpu')).toFixed(2)}x`;
  const header = line('', 'CPU µs', `by ${rows[0]!.name}`, 'calls/s', 'core %');
  const body = rows.map((row) =>
    line(row.name, cell(row, ['', 'cpu', 1]), ratio(row), cell(row, ['', 'callsPerSecond', 0]), cell(row, ['', 'core', 0])),
  );
  return [title, header, ...body].join('\n');
}

function cell(row: Row, [, of, digits]: Column): string {
  const value = medianOf(row, of);
  if (Number.isNaN(value)) return '-';
  return value.toLocaleString('en-US', decimals(digits));
}

const decimals = (digits: number) => ({ minimumFractionDigits: digits, maximumFractionDigits: digits });

const line = (name: string, ...cells: string[]): string =>
  `  ${name.padEnd(NAME_WIDTH)}${cells.map((text) => text.padStart(WIDTH)).join('')}`.trimEnd();

function medianOf({ rounds }: Row, of: keyof Measurement): number {
  const values = rounds.map((round) => round[of]).sort((a, b) => a - b);
  const middle = values.length >> 1;
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2;
}
