export { type OpsOptions, registerOps } from './ops.js';
