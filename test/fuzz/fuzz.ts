import { getHeapStatistics } from 'node:v8';
import { createContext, Script } from 'node:vm';
import { Random } from '../support/random.js';
import { makeCase } from './cases.js';
import { type Case, type Ending, runCase } from './run-case.js';
import { smaller } from './shrink.js';
import { Turns } from './turns.js';

/** A case that takes longer hangs, also on a busy machine. */
const PATIENCE_MS = 10_000;
const MAX_BYTES = 256 * 1024 * 1024;
const SHRINK_MS = 5_000;

/** A case in which something happened that must not. */
export interface Finding {
  /** What repeats it: a run of this seed, at this case. */
  seed: number;
  at: number;
  /** What it is, and where; the same for all cases that show it. */
  fault: string;
  stack: string;
  /** As small as it could be made. */
  smallest: Case;
  /** Cases that showed it. */
  times: number;
}

export interface Findings {
  cases: number;
  endings: Record<Ending, number>;
  found: Finding[];
}

/** Cases of a seed: so many, or until a moment. */
export function fuzz(
  seed: number,
  limits: { cases?: number; until?: number; from?: number },
  tell?: (findings: Findings) => void,
): Findings {
  const run = new Random(seed);
  const findings: Findings = { cases: 0, endings: { refused: 0, unreadable: 0, read: 0 }, found: [] };
  const { cases = Number.POSITIVE_INFINITY, until = Number.POSITIVE_INFINITY, from = 0 } = limits;
  for (let at = from; at < from + cases && Date.now() < until; at++) {
    const random = run.branch(at);
    const one = makeCase(random);
    const fault = faultOf(one, at, findings.endings);
    findings.cases++;
    if (fault) note(findings, seed, at, one, fault);
    if (findings.cases % 20_000 === 0) tell?.(findings);
  }
  return findings;
}

interface Fault {
  fault: string;
  stack: string;
}

function note({ found }: Findings, seed: number, at: number, one: Case, { fault, stack }: Fault): void {
  const known = found.find((other) => other.fault === fault);
  if (known) {
    known.times++;
    return;
  }
  const isSame = (other: Case) => faultOf(other, at)?.fault === fault;
  found.push({ seed, at, fault, stack, smallest: smaller(one, isSame, Date.now() + SHRINK_MS), times: 1 });
}

const WATCHED = new Script('run()');
const sandbox = createContext({ run: () => {} });

/** Runs a case; null when all is as it must be. Its pieces are cut by its number, the same each time. */
function faultOf(one: Case, at: number, endings?: Record<Ending, number>): Fault | null {
  const before = { heap: heapBytes(), prototype: prototypeNames() };
  const turns = new Turns();
  let ended: Ending;
  do {
    const { ending, fault } = watched(() => runCase(one, new Random(at), turns));
    if (fault) return fault;
    ended = ending;
  } while (turns.isUnsure());
  if (endings) endings[ended]++;
  if (turns.fault) return { fault: turns.fault, stack: '' };
  if (prototypeNames() !== before.prototype) return { fault: 'Object.prototype was changed', stack: '' };
  const grown = heapBytes() - before.heap;
  return grown > MAX_BYTES ? { fault: 'it takes more than 256 MiB', stack: '' } : null;
}

function watched(run: () => Ending): { ending: Ending; fault?: undefined } | { ending?: undefined; fault: Fault } {
  sandbox['run'] = run;
  try {
    return { ending: WATCHED.runInContext(sandbox, { timeout: PATIENCE_MS }) };
  } catch (error) {
    return { fault: asFault(error as Error) };
  }
}

const heapBytes = (): number => {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
};
const prototypeNames = (): string => [Object.prototype, Array.prototype, String.prototype].map((one) => Reflect.ownKeys(one).length).join();

/** Told apart by kind, place and words without what differs from case to case. */
function asFault(error: Error): Fault {
  const stack = String(error?.stack ?? error);
  const place = /at (.*(?:\/src\/).*?:\d+)/.exec(stack)?.[1]?.replace(/\(?\/.*\/src\//, '(src/') ?? '';
  const words = String(error?.message)
    .slice(0, 200)
    .replace(/"[^"]*"|'[^']*'|-?\d[\d.e+]*/g, '_');
  return { fault: `${error?.constructor?.name}: ${words} ${place}`.trim(), stack };
}
