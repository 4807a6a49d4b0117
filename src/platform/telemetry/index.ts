export { Alarm, oneLine } from './alarm.js';
export { type Fault, Health } from './health.js';
export { createLogger, droppedLines, LOGGER, type Logger, logHotPath } from './logger.js';
export { Metrics } from './metrics.js';
export { type Attributes, type Span, Tracing, type TracingOptions } from './tracing.js';
