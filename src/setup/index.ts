export type { DemoKeys } from './demo-keys.js';
export { type FirstStart, Setup } from './first-start.js';
export { SetupModule } from './setup.module.js';
