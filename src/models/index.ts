export { ModelBook } from './model-book.js';
export type { ModelEntry, ModelFacts } from './model-facts.js';
export { ModelsModule } from './models.module.js';
export { ModelsRepository } from './models.repository.js';
