export { ModelBook } from './model-book.js';
export type { ModelEntry } from './model-entry.js';
export { ModelsModule } from './models.module.js';
export { ModelsRepository } from './models.repository.js';
