export { createLogger, droppedLines, LOGGER, type Logger, logOften } from './logger.js';
export { Metrics } from './metrics.js';
