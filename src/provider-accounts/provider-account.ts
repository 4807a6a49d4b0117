import type { StoredBreaker } from '../breakers/index.js';
import type { CredentialSummary } from '../credentials/index.js';
import type { Secret } from '../platform/crypto/index.js';
import type { AiGatewayOptions, OnClientGone, ProviderRecord, Quirks, StructuredCredential } from '../providers/index.js';

/** Whose providers: a tenant's, or the platform's own (null). */
export type Owner = ProviderRecord['tenantId'];

/** A provider record, with what may be shown of its secrets. */
export interface ProviderAccount {
  provider: ProviderRecord;
  keys: readonly CredentialSummary[];
  /** What of it is left alone for now. */
  breakers: readonly StoredBreaker[];
  /** The names of its additional headers. */
  headerNames: readonly string[];
}

/** What is said of a provider. Absent: the default of its type, or what is saved. Null: the default of its type. */
interface Settings {
  baseUrl?: string;
  dialect?: string | null;
  nativeTools?: boolean | null;
  onClientGone?: OnClientGone | null;
  quirks?: Quirks;
  gatewayOptions?: AiGatewayOptions;
  models?: readonly string[];
  /** How a plain key is shown, as `authStyle` reads it. */
  auth?: string | null;
  defaultModel?: string | null;
  /** A credential of several fields, instead of plain keys. */
  credential?: StructuredCredential;
  /** A base URL is saved without a probe. */
  noVerify?: boolean;
}

export interface NewAccount extends Settings {
  /** Absent: the name that `type` was given by. */
  name?: string;
  /** A slug or an alias; `custom:https://…` and `anthropic-custom:https://…` say the base URL as well. */
  type: string;
  /** Plain keys, used in turn. */
  keys?: readonly Secret[];
  headers?: Readonly<Record<string, string>>;
  /** The credential is that of the environment. Excludes `keys` and `credential`. */
  fromEnvironment?: boolean;
}

export interface AccountChanges extends Settings {
  /** Replace all that are stored. Null destroys these. */
  keys?: readonly Secret[] | null;
  /** Replace all that are stored. Null destroys these. */
  headers?: Readonly<Record<string, string>> | null;
}
