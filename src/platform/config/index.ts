export { CONFIG, type Config, ConfigError, type Login, type ModelRule, type Role, readConfig } from './config.js';
