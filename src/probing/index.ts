export type { ProbeReport } from './probe.js';
export { Prober } from './prober.js';
export { ProbingModule } from './probing.module.js';
