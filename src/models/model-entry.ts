import type { ModelFacts } from '../model-rules/index.js';

/** What a tenant says of a model of one of its providers, by that one's name. Null: as the catalog has it. */
export interface ModelEntry extends ModelFacts {
  id: string;
  tenantId: string;
  provider: string;
  model: string;
  createdAt: Date;
}
