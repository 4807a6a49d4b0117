export { INSTALLATION, installationId } from './installation.js';
export { type JobResult, Queues, type ScheduledJob } from './queues.js';
