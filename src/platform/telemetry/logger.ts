import pino, { type Logger as PinoLogger } from 'pino';
import { BlockWriter } from './block-writer.js';

export type Logger = PinoLogger;

/** Injection token of the logger. */
export const LOGGER = Symbol('logger');

const STDERR = 2;

const writers = new WeakMap<Logger, BlockWriter>();

/** JSON lines on stderr; a call never waits for its line. stdout is for people and `--json`. */
export function createLogger(level: string): Logger {
  const options = {
    level,
    base: null,
    timestamp: isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const writer = new BlockWriter(STDERR);
  const log = pino(options, writer);
  writers.set(log, writer);
  return log;
}

/**
 * Logs as `log.info(facts, message)` does, in a third of the time: for what is logged with every call.
 * @param facts JSON values; what is undefined is left out.
 */
export function logHotPath(log: Logger, facts: object, message: string): void {
  if (!log.isLevelEnabled('info')) return;
  writers.get(log)!.write(`{"level":"info"${isoTime()},${JSON.stringify({ ...facts, msg: message }).slice(1)}\n`);
}

let writtenAt = Number.NaN;
let written = '';

/** As pino's own, but made once for all lines of a millisecond. */
function isoTime(): string {
  const now = Date.now();
  if (now !== writtenAt) {
    writtenAt = now;
    written = `,"time":"${new Date(now).toISOString()}"`;
  }
  return written;
}

/** How many lines nobody took, and were dropped. */
export const droppedLines = (log: Logger): number => writers.get(log)?.droppedLines ?? 0;
