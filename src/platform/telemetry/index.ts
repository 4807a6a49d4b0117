export { createLogger, droppedLines, LOGGER, type Logger } from './logger.js';
export { Metrics } from './metrics.js';
