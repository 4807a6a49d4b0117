export { CONFIG, type Config, ConfigError, type ModelRule, type Role, readConfig } from './config.js';
