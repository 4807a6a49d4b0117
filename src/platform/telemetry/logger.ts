import pino, { type Logger as PinoLogger } from 'pino';

export type Logger = PinoLogger;

/** Injection token of the logger. */
export const LOGGER = Symbol('logger');

/** JSON lines on stderr, written in blocks so that a call never waits for its log line. stdout is for people and `--json`. */
export function createLogger(level: string): Logger {
  const destination = pino.destination({ dest: 2, sync: false, minLength: 4096, periodicFlush: 500 });
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    destination,
  );
}
