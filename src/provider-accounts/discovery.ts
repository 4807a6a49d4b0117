import { WeirError } from '../kernel/errors.js';
import { type Config, ConfigError } from '../platform/config/index.js';
import { type Found, type ProviderType, platformCredential, variablesOf } from '../providers/index.js';
import { knownType } from './endpoint.js';

/** A credential of the environment. */
export interface Discovered {
  /** A key, or a credential of several fields as JSON text. */
  secret: string;
  /** Where it is used; null: where its type is, or the alias that the type was named by. */
  baseUrl: string | null;
  /** What the bare name stands for, where the environment says so. */
  defaultModel: string | null;
}

/**
 * What the environment has for a type, as a start would find it.
 * @throws WeirError invalid_request naming the variables that were looked for, or the one that is of no use.
 */
export function discover(named: string, environment: Config['environment']): Discovered {
  const { type } = knownType(named);
  const found = lookFor(type, environment);
  if (!found) throw refusal(nothingFor(type));
  const { secret, baseUrl, defaultModel = null } = found;
  return { secret, baseUrl: baseUrl === type.baseUrl ? null : baseUrl, defaultModel };
}

function lookFor(type: ProviderType, environment: Config['environment']): Found | null {
  try {
    return platformCredential(type, environment());
  } catch (error) {
    throw error instanceof ConfigError ? refusal(`${error.message}.`) : error;
  }
}

function nothingFor(type: ProviderType): string {
  const variables = variablesOf(type);
  if (variables.length === 0)
    return `No variable of the environment is known to hold a key for the type "${type.slug}". Send "key" instead.`;
  return `There is no credential for the type "${type.slug}" in this process's environment, .env.local or .env. Looked for: ${variables.join(', ')}.`;
}

const refusal = (message: string): WeirError => new WeirError('invalid_request', { param: 'from_existing', message });
