import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** What to measure, and how long. */
export interface Options {
  rounds: number;
  /** Per round and proxy. */
  seconds: number;
  /** Before the rounds of a workload, per proxy: it takes Node some thousand calls to compile the code they run. */
  warmUpSeconds: number;
  /** Calls under way at any time in the closed loop. */
  callers: number;
  /** Calls per second of the steady load. */
  rate: number;
  /** Directory of the built product. */
  dist: string;
  /** Where to write a CPU profile of Weir; null: measure instead. */
  profile: string | null;
  autocannon: boolean;
  /** Measure what each wire format costs instead. */
  dialects: boolean;
  /** Part of the names of the pairs to measure; null: all of them. */
  only: string | null;
}

const PROFILE = resolve(__dirname, '../.cache/weir.cpuprofile');

export const HELP = `npm run bench -- [options]

Measures Weir and nginx as a plain proxy before the same scripted provider, in turns, and prints medians.

  --rounds N     rounds per workload (3)
  --seconds N    length of a round for each proxy (6)
  --warm-up N    seconds of the same load before each measurement, as Node compiles what it runs for a while (30)
  --callers N    calls under way at once (64)
  --rate N       calls per second of the steady load (300)
  --quick        one short round of everything, as a smoke test
  --autocannon   let autocannon send the JSON calls, as a cross-check of our own load generator
  --dialects     measure Weir's CPU for each pair of wire formats instead
  --only TEXT    only pairs whose name has this, e.g. gemini or "chat, "
  --profile      write a CPU profile of Weir under JSON calls and print where its time goes; measures nothing else
  --dist DIR     the build to measure (dist)
  --help
`;

const FLAGS = {
  rounds: { type: 'string', default: '3' },
  seconds: { type: 'string', default: '6' },
  'warm-up': { type: 'string' },
  callers: { type: 'string', default: '64' },
  rate: { type: 'string', default: '300' },
  dist: { type: 'string', default: 'dist' },
  quick: { type: 'boolean', default: false },
  autocannon: { type: 'boolean', default: false },
  dialects: { type: 'boolean', default: false },
  only: { type: 'string' },
  profile: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

const QUICK = { rounds: 1, seconds: 0.6, warmUpSeconds: 0.3 };

/** Null: help was asked for. @throws Error for an option that is none. */
export function readOptions(args: string[]): Options | null {
  const { values } = parseArgs({ args, options: FLAGS });
  if (values.help) return null;
  const seconds = positive('seconds', values.seconds);
  return {
    rounds: Math.ceil(positive('rounds', values.rounds)),
    seconds,
    warmUpSeconds: positive('warm-up', values['warm-up'] ?? (values.dialects ? '2' : '30')),
    callers: Math.ceil(positive('callers', values.callers)),
    rate: positive('rate', values.rate),
    dist: values.dist,
    autocannon: values.autocannon,
    dialects: values.dialects,
    only: values.only ?? null,
    profile: values.profile ? PROFILE : null,
    ...(values.quick && QUICK),
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 3_600_000)) throw new Error(`--${name} must be a positive number, not "${text}"`);
  return value;
}
