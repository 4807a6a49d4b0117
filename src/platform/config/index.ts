export { CONFIG, type Config, ConfigError, type Role, readConfig } from './config.js';
