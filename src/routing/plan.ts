import type { Credential } from '../credentials/index.js';
import type { DialectName, Quirks } from '../dialects/index.js';
import type { ModelFacts } from '../models/index.js';
import type { Price } from '../prices/index.js';
import type { AuthStyle } from '../providers/index.js';

/** Where one call may go, and on what terms. */
export interface Target {
  providerId: string;
  /** The record's name: the left part of a reference. */
  provider: string;
  type: string;
  /** The model id as the provider knows it: the right part of a reference. */
  model: string;
  /** The model whose rules apply, where the operator says that it is another one. */
  treatedAs: string | undefined;
  origin: string;
  /** Of the base URL, without a trailing slash. */
  basePath: string;
  /** Null: the provider takes none. */
  credential: Credential | null;
  /** Null: unknown. */
  price: Price | null;
  auth: AuthStyle;
  /** The wire formats it may be spoken to in, the preferred one first. */
  dialects: readonly DialectName[];
  quirks: Quirks;
  /** What an AI Gateway there is asked for, and whether a client may ask for other. Null: there is none. */
  gateway: { headers: readonly string[]; fromClient: boolean } | null;
  /** What is known of the model. */
  facts: ModelFacts;
}

/** The ordered targets for one call. Every one was named explicitly by configuration. */
export interface Plan {
  requestedModel: string;
  target: Target;
  /** The output limit per answer, written upstream so that the worst case is real. */
  maxOutputTokens: number;
}
