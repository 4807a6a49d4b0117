export { compactsFrom } from './compaction.js';
export { type Feature, featureIn } from './features.js';
export { reportedUnits } from './reported.js';
