export { registerOps } from './ops.js';
