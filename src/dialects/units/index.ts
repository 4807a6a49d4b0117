export { compactsFrom } from './compaction.js';
export { type Feature, featureIn } from './features.js';
export { type ReportedUnits, reportedUnits } from './reported.js';
