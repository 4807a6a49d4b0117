import { randomInt } from 'node:crypto';

/** The environment variable that repeats a random run: its seed. */
const SEED_VARIABLE = 'WEIR_TEST_SEED';

/** Random decisions that can be repeated from their seed. */
export class Random {
  private state: number;

  constructor(readonly seed: number) {
    this.state = seed >>> 0;
  }

  /** A run of its own seed, or of the one that is asked for. Says which on stderr, so that a failure can be repeated. */
  static ofRun(what: string): Random {
    const seed = Number(process.env[SEED_VARIABLE] ?? randomInt(2 ** 31));
    process.stderr.write(`${what}: ${SEED_VARIABLE}=${seed}\n`);
    return new Random(seed);
  }

  /** Another sequence, of its own: what draws from it does not depend on who else draws when. */
  branch(index: number): Random {
    return new Random(Math.imul(this.seed ^ (index + 1), 0x9e3779b1));
  }

  /** From 0 up to 1. mulberry32. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(0, from.length - 1)]!;
  }
}

/** A size of a run: small by default, larger where a person or a nightly job asks for it. */
export const sizeOf = (variable: string, fallback: number): number => Number(process.env[variable] ?? fallback);
