import { ConfigError, type Environment } from '../../platform/config/index.js';
import { awsHost } from '../auth/aws.js';
import { addressIn, StructuredCredential } from '../auth/credential.js';
import { hostLabel } from '../auth/fields.js';
import { vertexAddress } from '../auth/google.js';
import { awsIdentity, awsRegion, roleToAssume, stsFrom } from '../auth/identities/aws.js';
import { authorityFrom, azureIdentity } from '../auth/identities/azure.js';
import { ExternalAccount } from '../auth/identities/external-account.js';
import { googleIdentity } from '../auth/identities/google.js';
import { addressFrom, type IdentityCredential, type IdentityKind, isInstanceOf } from '../auth/identities/identity.js';
import { datedAddress, withDate } from '../azure-api-version.js';
import type { ProviderType } from '../provider.js';
import type { EnvironmentForm, Found } from './environment-form.js';

/** What the environment has for the platform's own provider of this type. Null: nothing. @throws ConfigError */
export function platformCredential(type: ProviderType, environment: Environment): Found | null {
  if (type.environment) return type.environment.read(environment, type.envKeys);
  const secret = firstOf(type.envKeys, environment);
  return secret && type.baseUrl ? { secret, baseUrl: type.baseUrl } : null;
}

/** All variables that {@link platformCredential} looks at for this type. */
export const variablesOf = (type: ProviderType): readonly string[] => [...type.envKeys, ...(type.environment?.names ?? [])];

const firstOf = (names: readonly string[], { variable }: Environment): string | undefined => names.map(variable).find(Boolean);

/** Writes a credential of several fields as it is sealed. @throws ConfigError naming the variables. */
function sealed(credential: object, variables: readonly string[]): { secret: string; credential: StructuredCredential } {
  const parsed = StructuredCredential.safeParse(credential);
  if (!parsed.success) throw new ConfigError([`${variables.join(', ')}: one of these is not of the form it must have`]);
  return { secret: JSON.stringify(credential), credential: parsed.data };
}

/** All that is sealed of an identity: no part of it is a secret. */
const sealedIdentity = (kind: IdentityKind): string => JSON.stringify({ type: 'identity', kind } satisfies IdentityCredential);

const AWS_KEYS = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_REGION', 'AWS_DEFAULT_REGION'] as const;

/** A key for Bedrock goes before keys that sign, and these before the workload's identity. */
export const BEDROCK_ENVIRONMENT: EnvironmentForm = {
  names: [
    ...AWS_KEYS,
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_ROLE_ARN',
    'AWS_ROLE_SESSION_NAME',
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
    'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
    'AWS_CONTAINER_AUTHORIZATION_TOKEN',
    'AWS_EC2_METADATA_SERVICE_ENDPOINT',
    'AWS_EC2_METADATA_DISABLED',
    'AWS_ENDPOINT_URL_STS',
    'AWS_ENDPOINT_URL_BEDROCK_RUNTIME',
  ],
  read(environment, envKeys) {
    const { variable } = environment;
    const [access_key_id, secret_access_key, session_token] = AWS_KEYS.map(variable);
    const region = awsRegion(variable);
    const told = variable('AWS_ENDPOINT_URL_BEDROCK_RUNTIME');
    const baseUrl = told ? rootOf('AWS_ENDPOINT_URL_BEDROCK_RUNTIME', told) : `https://${awsHost('bedrock-runtime', region)}`;
    const key = firstOf(envKeys, environment);
    if (key) return { secret: key, baseUrl };
    if (access_key_id && secret_access_key) {
      const role_arn = roleToAssume(variable);
      const role = role_arn === null ? {} : { role_arn, sts_url: stsFrom(variable) };
      return {
        secret: sealed({ type: 'aws', access_key_id, secret_access_key, session_token, region, ...role }, AWS_KEYS).secret,
        baseUrl,
      };
    }
    const identity = awsIdentity(variable);
    return identity && { secret: sealedIdentity(identity.kind), baseUrl };
  },
};

const VERTEX = ['GOOGLE_APPLICATION_CREDENTIALS', 'GOOGLE_VERTEX_PROJECT', 'GOOGLE_VERTEX_LOCATION', 'GOOGLE_VERTEX_BASE_URL'] as const;

/** A file goes before the identity of the machine. Other programs use both, so what is of no use here is a fault only where a project was named. */
export const VERTEX_ENVIRONMENT: EnvironmentForm = {
  names: [...VERTEX, 'GCE_METADATA_HOST'],
  read(environment) {
    const [path, project, location, root] = VERTEX.map(environment.variable);
    if (location !== undefined && !hostLabel.safeParse(location).success)
      throw new ConfigError(['GOOGLE_VERTEX_LOCATION must be a location such as europe-west4, or eu, or global']);
    const address = project === undefined ? null : vertexAddress(project, location);
    const found = path === undefined ? machineOfGoogle(environment, address) : fromGoogleFile(path, location, environment, address);
    return found && root ? { ...found, baseUrl: rootOf('GOOGLE_VERTEX_BASE_URL', root) + new URL(found.baseUrl).pathname } : found;
  },
};

/** @param address where the project that was named is called; null: none was. */
function fromGoogleFile(path: string, location: string | undefined, environment: Environment, address: string | null): Found | null {
  try {
    const file = JSON.parse(environment.file(path));
    if (file.type === 'external_account') {
      ExternalAccount.parse(file);
      return address === null ? null : { secret: sealedIdentity('google_external_account'), baseUrl: address };
    }
    const { secret, credential } = sealed({ ...file, location }, VERTEX);
    const baseUrl = address ?? addressIn(credential);
    if (baseUrl === null || !['service_account', 'authorized_user'].includes(credential.type)) throw new Error('of no use');
    return { secret, baseUrl };
  } catch {
    if (address === null) return null;
    throw new ConfigError([
      `GOOGLE_APPLICATION_CREDENTIALS: ${path} is no file of a service account, an authorized user, or an external account with a token in a file`,
    ]);
  }
}

/** The metadata server, where the environment tells of one. */
function machineOfGoogle({ variable }: Environment, address: string | null): Found | null {
  const identity = googleIdentity(variable);
  if (!identity) return null;
  if (address !== null) return { secret: sealedIdentity(identity.kind), baseUrl: address };
  if (!isInstanceOf('google', variable)) return null;
  throw new ConfigError(['GOOGLE_VERTEX_PROJECT is missing: WEIR_INSTANCE_IDENTITY does not say whose models are called']);
}

const MICROSOFT = ['FOUNDRY_AGENT_TOKEN', 'AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET'] as const;

/** What signs in at Microsoft instead of a key. */
const SIGN_IN = [
  ...MICROSOFT,
  'AZURE_AUTHORITY_HOST',
  'AZURE_FEDERATED_TOKEN_FILE',
  'IDENTITY_ENDPOINT',
  'IDENTITY_HEADER',
  'AZURE_POD_IDENTITY_AUTHORITY_HOST',
] as const;

/** An API key, else a token, else an application that signs in, else the workload's identity. */
function microsoftSecret(environment: Environment, envKeys: readonly string[]): string | null {
  const { variable } = environment;
  const [token, tenant_id, client_id, client_secret] = MICROSOFT.map(variable);
  const key = firstOf(envKeys, environment);
  if (key) return key;
  if (token) return sealed({ type: 'token', token }, MICROSOFT).secret;
  if (tenant_id && client_id && client_secret) {
    const application = { type: 'entra', tenant_id, client_id, client_secret, authority: authorityFrom(variable) };
    return sealed(application, MICROSOFT).secret;
  }
  const identity = azureIdentity(variable);
  return identity && sealedIdentity(identity.kind);
}

const AZURE = ['AZURE_OPENAI_ENDPOINT', 'AZURE_OPENAI_API_VERSION', 'AZURE_OPENAI_DEPLOYMENT'] as const;

export const AZURE_ENVIRONMENT: EnvironmentForm = {
  names: [...AZURE, ...SIGN_IN],
  read(environment, envKeys) {
    const [endpoint, version, named] = AZURE.map(environment.variable);
    if (!endpoint) return null;
    const { baseUrl, deployment } = azureAddress(endpoint, version);
    const secret = microsoftSecret(environment, envKeys);
    return secret === null ? null : { secret, baseUrl, defaultModel: named ?? deployment ?? undefined };
  },
};

const FOUNDRY = ['ANTHROPIC_FOUNDRY_RESOURCE', 'ANTHROPIC_FOUNDRY_BASE_URL'] as const;

/** By the variables that Anthropic's own SDK reads. */
export const FOUNDRY_ENVIRONMENT: EnvironmentForm = {
  names: [...FOUNDRY, ...SIGN_IN],
  read(environment, envKeys) {
    const [resource, address] = FOUNDRY.map(environment.variable);
    const baseUrl = address?.replace(/\/+$/, '') ?? (resource && `https://${resource}.services.ai.azure.com/anthropic`);
    if (!baseUrl) return null;
    if (!URL.canParse(baseUrl)) throw new ConfigError([`${FOUNDRY.join(', ')}: give the name of a resource, or a URL`]);
    const secret = microsoftSecret(environment, envKeys);
    return secret === null ? null : { secret, baseUrl };
  },
};

/** What programs set that use the API without a date. */
const UNDATED = /^(v1|latest|preview)$/;

/** The API that names no date, unless there is one, or the endpoint has a path of its own. */
function azureAddress(endpoint: string, version: string | undefined): { baseUrl: string; deployment: string | null } {
  if (!URL.canParse(endpoint)) throw new ConfigError(['AZURE_OPENAI_ENDPOINT must be a URL such as https://name.openai.azure.com']);
  const { origin, pathname } = new URL(endpoint);
  const path = pathname.replace(/\/+$/, '');
  const isUndated = version === undefined || UNDATED.test(version) || path.endsWith('/v1');
  const dated = datedAddress(isUndated ? endpoint : withDate(`${origin}${path || '/openai'}`, version));
  if (dated) return { baseUrl: withDate(dated.address, dated.apiVersion), deployment: dated.deployment };
  if (isUndated) return { baseUrl: `${origin}${path || '/openai/v1'}`, deployment: null };
  throw new ConfigError(['AZURE_OPENAI_API_VERSION must be a date such as 2024-10-21 or 2025-04-01-preview']);
}

/** A base URL that is told: without a slash at its end. @throws ConfigError */
function rootOf(name: string, text: string): string {
  const { origin, pathname } = new URL(addressFrom(name, text));
  return origin + pathname.replace(/\/+$/, '');
}

const HELICONE = ['HELICONE_API_KEY', 'OPENAI_API_KEY'] as const;

/** What stands behind it is OpenAI, so its key goes along. */
export const HELICONE_ENVIRONMENT: EnvironmentForm = {
  names: HELICONE,
  read({ variable }) {
    const [own, openai] = HELICONE.map(variable);
    if (!own || !openai) return null;
    const headers = { authorization: `Bearer ${openai}`, 'helicone-auth': `Bearer ${own}` };
    return { secret: sealed({ type: 'headers', headers }, HELICONE).secret, baseUrl: 'https://oai.helicone.ai/v1' };
  },
};
