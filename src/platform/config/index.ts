export { CONFIG, type Config, ConfigError, type Environment, type Login, type ModelRule, type Role, readConfig } from './config.js';
export type { ProxyAddress } from './proxy.js';
