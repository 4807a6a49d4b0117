import type { Credential } from '../credentials/index.js';
import type { Price } from '../prices/index.js';

/** Where one call may go, and on what terms. */
export interface Target {
  providerId: string;
  /** The record's name: the left part of a reference. */
  provider: string;
  type: string;
  /** The model id as the provider knows it: the right part of a reference. */
  model: string;
  origin: string;
  /** Of the base URL, without a trailing slash. */
  basePath: string;
  /** Null: the provider takes none. */
  credential: Credential | null;
  /** Null: unknown. */
  price: Price | null;
  maxTokensField: 'max_tokens' | 'max_completion_tokens';
}

/** The ordered targets for one call. Every one was named explicitly by configuration. */
export interface Plan {
  requestedModel: string;
  target: Target;
  /** The output limit per answer, written upstream so that the worst case is real. */
  maxOutputTokens: number;
}
