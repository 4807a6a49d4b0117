/** What is known of a model. Null: unknown, and then nothing is refused or lowered for it. */
export interface ModelFacts {
  /** Tokens of prompt and answer together. */
  contextWindow: number | null;
  /** The most tokens of one answer, its reasoning among them. */
  maxOutputTokens: number | null;
  tools: boolean | null;
  /** Images may stand in its prompt. */
  vision: boolean | null;
  reasoning: boolean | null;
}

export const UNKNOWN: ModelFacts = { contextWindow: null, maxOutputTokens: null, tools: null, vision: null, reasoning: null };

/** What a tenant says of a model of one of its providers, by that one's name. Null: as the catalogue has it. */
export interface ModelEntry extends ModelFacts {
  id: string;
  tenantId: string;
  provider: string;
  model: string;
  createdAt: Date;
}
