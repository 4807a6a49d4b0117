export { type JobResult, Queues, type ScheduledJob } from './queues.js';
