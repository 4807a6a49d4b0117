import { DIALECTS, type DialectName, QUIRKS, type Quirks } from '../dialects/index.js';
import type { CredentialType } from './auth/credential.js';
import type { EnvironmentForm } from './catalog/environment-form.js';

export { DIALECTS, QUIRKS, type Quirks };

/** How a provider is shown a plain key. `zhipu`: as a token made of it, where it has the form `id.secret`. */
export type AuthStyle = { kind: 'bearer' } | { kind: 'header'; name: string } | { kind: 'zhipu' } | { kind: 'none' };

/** Reads `bearer`, `none` or `header:name`, as a record has it. */
export const authStyle = (text: string): AuthStyle =>
  text.startsWith('header:') ? { kind: 'header', name: text.slice('header:'.length) } : { kind: text as 'bearer' | 'none' };

/** A provider that is used by a person's login instead of a key. Its terms are for that person. */
export interface SubscriptionLogin {
  /** Which login it is. */
  flow: 'github' | 'chatgpt' | 'minimax' | 'qwen';
  /** The vendor's terms, which whoever connects accepts. */
  termsUrl: string;
  /** Names and values in turn, sent with every call. */
  headers: readonly string[];
}

/** What becomes of a provider's work when the client of a call leaves. `cancel`: it is broken off. `drain`: it is read on for its usage. */
export const ON_CLIENT_GONE = ['cancel', 'drain'] as const;
export type OnClientGone = (typeof ON_CLIENT_GONE)[number];

/** What a vendor does when its client leaves, and who says so. */
export interface ClientGone {
  stream: OnClientGone;
  /** Of a call that is not streamed. */
  whole: OnClientGone;
  /** Null: nothing is known, so nothing is cut off that may be billed. */
  source: string | null;
  /** When it was read, as a date. */
  asOf: string;
}

/** A vendor, as data. Adding one that speaks OpenAI's chat format is a line in the catalog. */
export interface ProviderType {
  /** What `type` is in a provider record, and the record's name unless another is given. */
  slug: string;
  title: string;
  /** The wire formats it speaks; the first where nothing else decides. */
  dialects: readonly DialectName[];
  auth: AuthStyle;
  /** The forms of several fields that its credential may have instead of a plain key. */
  credentialTypes: readonly CredentialType[];
  /** Null: it takes a key. */
  subscription: SubscriptionLogin | null;
  /** Null: every record brings its own. */
  baseUrl: string | null;
  /** Its address may end in `?api-version=` and a date: see `DatedAddress`. */
  dated: boolean;
  /** Other names of it, each with its address: an alias may stand for a region. */
  aliases: Readonly<Record<string, string | null>>;
  /** Environment variables that may hold a platform credential, first non-empty wins. */
  envKeys: readonly string[];
  /** A platform credential that several variables make together. Null: there is none. */
  environment: EnvironmentForm | null;
  /** The one format that a model is served in. Null: any of them serves any. */
  formatOf: ((model: string) => DialectName) | null;
  /** The provider's id in the price catalog; null when it is not listed there. */
  catalogId: string | null;
  /** How it differs from the vendor of the format it speaks. */
  quirks: Quirks;
  /** At the vendor's own address. A server elsewhere is drained. */
  clientGone: ClientGone;
}

/** A configured provider: the left part of `provider/model-id` is its name. `tenantId` null: the platform's own. */
export interface ProviderRecord {
  id: string;
  tenantId: string | null;
  name: string;
  type: string;
  /** Without a trailing slash. It has a query only where its type is dated. */
  baseUrl: string;
  /** The wire format it is spoken to in; null: chosen for each model from those its type speaks. */
  dialect: string | null;
  /** False: its models call tools only by what they write in their text. Null: as its type does. */
  nativeTools: boolean | null;
  /** `OnClientGone`; null: as its type does. */
  onClientGone: string | null;
  /** `Quirks` as they are stored: how it differs from its type. */
  quirks: unknown;
  /** `AiGatewayOptions` as they are stored; null: none. */
  gatewayOptions: unknown;
  /** How its key is shown, see {@link authStyle}; null: as its type does. */
  auth: string | null;
  /** The model that its bare name stands for; null: none. */
  defaultModel: string | null;
  /** What the last probe found, as it is shown; null: it was not probed as it is now. */
  capabilities: unknown;
  /** Model ids that may be asked for; `*` stands for any. */
  models: readonly string[];
  /** Its address changed and its key was dropped: it is not called before there is another, or it is said to need none. */
  awaitsKey: boolean;
  /** A platform record that an operator made, or whose key or address one changed: the environment has no say in it any more. */
  byOperator: boolean;
  createdAt: Date;
}

/** Names a provider may have: what a URL and a model reference can carry without escaping. */
export const PROVIDER_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
