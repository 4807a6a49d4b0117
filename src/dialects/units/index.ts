export { compactsFrom } from './compaction.js';
export { type Feature, featureIn } from './features.js';
export { withMedia } from './media.js';
export { reportedUnits } from './reported.js';
