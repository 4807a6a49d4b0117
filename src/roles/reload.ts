import { type Config, ConfigError, differences } from '../platform/config/index.js';
import type { Logger } from '../platform/telemetry/index.js';

/**
 * Reads the configuration anew and has the process take what it can, all or nothing; the log says which. Never its values.
 * @param current the one it runs with. Answers the one it runs with afterwards.
 */
export function reload(current: Config, read: () => Config, take: (config: Config) => void, log: Logger): Config {
  let next: Config;
  try {
    next = read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.error({ faults: error.faults }, 'the configuration was not reloaded; fix these faults, then send SIGHUP again');
    return current;
  }
  const { taken, waiting } = differences(current, next);
  take(next);
  log.info({ variables: taken }, 'the configuration was reloaded');
  if (waiting.length > 0) log.warn({ variables: waiting }, 'these variables changed too; restart to apply them');
  return next;
}
