import type { DialectName } from '../dialects/index.js';

/** A vendor, as data. Adding one that speaks OpenAI's chat format is a line in the catalogue. */
export interface ProviderType {
  /** What `type` is in a provider record, and the record's name unless another is given. */
  slug: string;
  title: string;
  dialect: DialectName;
  /** Null: every record brings its own. */
  baseUrl: string | null;
  /** Environment variables that may hold a platform credential, first non-empty wins. */
  envKeys: readonly string[];
  /** The provider's id in the price catalogue; null when it is not listed there. */
  catalogueId: string | null;
  /** Which field carries the output limit when the client sent none. */
  maxTokensField: 'max_tokens' | 'max_completion_tokens';
}

/** A configured provider: the left part of `provider/model-id` is its name. `tenantId` null: the platform's own. */
export interface ProviderRecord {
  id: string;
  tenantId: string | null;
  name: string;
  type: string;
  /** Without a trailing slash. */
  baseUrl: string;
  /** Model ids that may be asked for; `*` stands for any. */
  models: readonly string[];
  createdAt: Date;
}

/** Names a provider may have: what a URL and a model reference can carry without escaping. */
export const PROVIDER_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
