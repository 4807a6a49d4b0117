import type { DialectName, Quirks } from '../../dialects/index.js';
import type { CredentialType } from '../auth/credential.js';
import type { AuthStyle, ClientGone, ProviderType, SubscriptionLogin } from '../provider.js';
import { UNKNOWN_CLIENT_GONE } from './client-gone.js';
import type { EnvironmentForm } from './environment-form.js';

/** What sets a type apart from a vendor that speaks OpenAI's chat format with a bearer key. */
interface Difference {
  dialects?: readonly DialectName[];
  formatOf?: (model: string) => DialectName;
  auth?: AuthStyle;
  credentialTypes?: readonly CredentialType[];
  environment?: EnvironmentForm;
  subscription?: SubscriptionLogin;
  dated?: boolean;
  catalogId?: string;
  quirks?: Quirks;
  clientGone?: ClientGone;
  /** Other names for the same. */
  aliases?: readonly string[];
  /** Names that stand for another address. */
  regions?: Readonly<Record<string, readonly string[]>>;
}

/** @param baseUrl null: every record brings its own. */
export function entry(
  slug: string,
  title: string,
  baseUrl: string | null,
  envKeys: readonly string[],
  difference: Difference = {},
): ProviderType {
  const {
    dialects = ['openai-chat'],
    auth = { kind: 'bearer' },
    credentialTypes = ['headers'],
    environment = null,
    subscription = null,
    formatOf = null,
    dated = false,
  } = difference;
  const { catalogId = null, quirks = {}, clientGone = UNKNOWN_CLIENT_GONE, aliases = [], regions = {} } = difference;
  const regional = Object.entries(regions).flatMap(([url, names]) => names.map((name) => [name, url] as const));
  const names = Object.fromEntries([...aliases.map((name) => [name, baseUrl] as const), ...regional]);
  return {
    slug,
    title,
    baseUrl,
    envKeys,
    environment,
    dialects,
    formatOf,
    auth,
    credentialTypes,
    subscription,
    dated,
    catalogId,
    quirks,
    clientGone,
    aliases: names,
  };
}

/** Speaks OpenAI's chat format with a bearer key, and knows only what most such servers know. */
export const compatible = (
  slug: string,
  title: string,
  baseUrl: string | null,
  envKeys: readonly string[],
  difference: Difference = {},
): ProviderType => entry(slug, title, baseUrl, envKeys, { ...difference, quirks: { developerRole: false, ...difference.quirks } });
