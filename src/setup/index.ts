export { type FirstStart, Setup } from './first-start.js';
export { SetupModule } from './setup.module.js';
