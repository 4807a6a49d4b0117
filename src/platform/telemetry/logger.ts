import pino, { type Logger as PinoLogger } from 'pino';
import { BlockWriter } from './block-writer.js';

export type Logger = PinoLogger;

/** Injection token of the logger. */
export const LOGGER = Symbol('logger');

const STDERR = 2;

/** JSON lines on stderr; a call never waits for its line. stdout is for people and `--json`. */
export function createLogger(level: string): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, new BlockWriter(STDERR));
}
