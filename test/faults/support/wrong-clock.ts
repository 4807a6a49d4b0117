import { join } from 'node:path';

const PRELOAD = join(__dirname, '..', '..', 'support', 'shift-clock.cjs');

/** Environment of a process whose wall clock is wrong by so much. */
export const clockOffBy = (ms: number): Record<string, string> => ({ NODE_OPTIONS: `--require=${PRELOAD}`, SHIFT_CLOCK_MS: String(ms) });

/** The same, of one whose clock is right and jumps by so much at a SIGUSR2, and back at the next. */
export const clockThatJumps = (ms: number): Record<string, string> => ({ ...clockOffBy(ms), SHIFT_CLOCK_ON_SIGNAL: '1' });
