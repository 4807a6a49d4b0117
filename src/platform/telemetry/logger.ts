import pino, { type Logger as PinoLogger } from 'pino';

export type Logger = PinoLogger;

/** Injection token of the logger. */
export const LOGGER = Symbol('logger');

/** Each write wakes a thread: with small blocks that costs more than the line itself. */
const BLOCK_BYTES = 32 * 1024;
const FLUSH_MS = 250;

/** JSON lines on stderr, written in blocks so that a call never waits for its log line. stdout is for people and `--json`. */
export function createLogger(level: string): Logger {
  const destination = pino.destination({
    dest: 2,
    sync: false,
    minLength: BLOCK_BYTES,
    maxWrite: 2 * BLOCK_BYTES,
    periodicFlush: FLUSH_MS,
  });
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    destination,
  );
}
