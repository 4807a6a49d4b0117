export { CONFIG, type Config, type Environment, type InferenceListener, type ModelRule, readConfig } from './config.js';
export { ConfigError } from './config-error.js';
export type { ProxyAddress } from './proxy.js';
export type { RedisAddress } from './redis.js';
export { differences, Reloads } from './reload.js';
