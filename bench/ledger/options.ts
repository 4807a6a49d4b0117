import { parseArgs } from 'node:util';

/** What to measure, and how long. */
export interface Options {
  /** Per number of callers and contestant. */
  seconds: number;
  warmUpSeconds: number;
  /** How many callers are at it at once, run by run. */
  callers: number[];
  /** Measure the naive way too. */
  naive: boolean;
  /** Measure what quiet tenants wait beside the hot one, instead of how fast that is. */
  fairness: boolean;
  /** Calls per second of all quiet tenants together. */
  rate: number;
}

export const HELP = `npm run bench:ledger -- [options]

Holds and settles on the three budgets of one hot tenant, by the product's ledger and by the naive way (a transaction per call), in turns.

  --seconds N      length of a run (5)
  --callers N,N    how many callers are at it at once, a run each (8,32,256)
  --quick          short runs, as a smoke test
  --no-naive       the product's ledger only
  --fairness       how long the holds of 999 quiet tenants take, alone and beside the hot one, instead
  --rate N         calls per second of the quiet tenants together (100)
  --help
`;

const FLAGS = {
  seconds: { type: 'string', default: '5' },
  callers: { type: 'string', default: '8,32,256' },
  quick: { type: 'boolean', default: false },
  naive: { type: 'boolean', default: true },
  fairness: { type: 'boolean', default: false },
  rate: { type: 'string', default: '100' },
  help: { type: 'boolean', default: false },
} as const;

const QUICK = { seconds: 0.6, warmUpSeconds: 0.3 };

/** Null: help was asked for. @throws Error for an option that is none. */
export function readOptions(args: string[]): Options | null {
  const { values } = parseArgs({ args, options: FLAGS, allowNegative: true });
  if (values.help) return null;
  const seconds = positive('seconds', values.seconds);
  return {
    seconds,
    warmUpSeconds: Math.min(seconds, 2),
    callers: [...new Set(values.callers.split(',').map((text) => Math.ceil(positive('callers', text))))],
    naive: values.naive,
    fairness: values.fairness,
    rate: positive('rate', values.rate),
    ...(values.quick && QUICK),
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 100_000)) throw new Error(`--${name} takes positive numbers, not "${text}"`);
  return value;
}
