import { ConfigError } from '../../platform/config/index.js';
import { awsHost } from '../auth/aws.js';
import { addressIn, type StructuredCredential, structuredIn } from '../auth/credential.js';
import { vertexAddress } from '../auth/google.js';
import type { ProviderType } from '../provider.js';
import type { Environment, EnvironmentForm, Found } from './environment-form.js';

/** What the environment has for the platform's own provider of this type. Null: nothing. @throws ConfigError */
export function platformCredential(type: ProviderType, environment: Environment): Found | null {
  if (type.environment) return type.environment.read(environment, type.envKeys);
  const secret = firstOf(type.envKeys, environment);
  return secret && type.baseUrl ? { secret, baseUrl: type.baseUrl } : null;
}

const firstOf = (names: readonly string[], { variable }: Environment): string | undefined => names.map(variable).find(Boolean);

/** Writes a credential of several fields as it is sealed. @throws ConfigError naming the variables. */
function sealed(credential: object, variables: readonly string[]): { secret: string; credential: StructuredCredential } {
  const secret = JSON.stringify(credential);
  try {
    return { secret, credential: structuredIn(secret)! };
  } catch {
    throw new ConfigError([`${variables.join(', ')}: one of these is not of the form it must have`]);
  }
}

const AWS = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_REGION', 'AWS_DEFAULT_REGION'] as const;

/** A key for Bedrock goes before keys that sign. */
export const BEDROCK_ENVIRONMENT: EnvironmentForm = {
  names: AWS,
  read(environment, envKeys) {
    const [access_key_id, secret_access_key, session_token] = AWS.map(environment.variable);
    const region = firstOf(['AWS_REGION', 'AWS_DEFAULT_REGION'], environment) ?? 'us-east-1';
    const baseUrl = `https://${awsHost('bedrock-runtime', region)}`;
    if (!URL.canParse(baseUrl)) throw new ConfigError(['AWS_REGION must be a region such as us-east-1']);
    const key = firstOf(envKeys, environment);
    if (key) return { secret: key, baseUrl };
    if (!access_key_id || !secret_access_key) return null;
    return { secret: sealed({ type: 'aws', access_key_id, secret_access_key, session_token, region }, AWS).secret, baseUrl };
  },
};

const VERTEX = ['GOOGLE_APPLICATION_CREDENTIALS', 'GOOGLE_VERTEX_PROJECT', 'GOOGLE_VERTEX_LOCATION'] as const;

/** Other programs use the file too, so one that is of no use here is a fault only where a project was named. */
export const VERTEX_ENVIRONMENT: EnvironmentForm = {
  names: VERTEX,
  read(environment) {
    const [path, project, location] = VERTEX.map(environment.variable);
    if (!path) return null;
    try {
      const { secret, credential } = sealed({ ...JSON.parse(environment.file(path)), location }, VERTEX);
      const baseUrl = project ? vertexAddress(project, location) : addressIn(credential);
      if (baseUrl === null || !['service_account', 'authorized_user'].includes(credential.type)) throw new Error('of no use');
      return { secret, baseUrl };
    } catch {
      if (!project) return null;
      throw new ConfigError([`GOOGLE_APPLICATION_CREDENTIALS: ${path} is no file of a service account or an authorized user`]);
    }
  },
};

const AZURE = ['AZURE_OPENAI_ENDPOINT', 'FOUNDRY_AGENT_TOKEN', 'AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET'] as const;

/** An API key, else a token, else an application that signs in. */
export const AZURE_ENVIRONMENT: EnvironmentForm = {
  names: AZURE,
  read(environment, envKeys) {
    const [endpoint, token, tenant_id, client_id, client_secret] = AZURE.map(environment.variable);
    if (!endpoint) return null;
    const baseUrl = azureAddress(endpoint);
    const key = firstOf(envKeys, environment);
    if (key) return { secret: key, baseUrl };
    if (token) return { secret: sealed({ type: 'token', token }, AZURE).secret, baseUrl };
    if (!tenant_id || !client_id || !client_secret) return null;
    return { secret: sealed({ type: 'entra', tenant_id, client_id, client_secret }, AZURE).secret, baseUrl };
  },
};

/** The version of the API that names no date, unless the endpoint has a path of its own. */
function azureAddress(endpoint: string): string {
  if (!URL.canParse(endpoint)) throw new ConfigError(['AZURE_OPENAI_ENDPOINT must be a URL such as https://name.openai.azure.com']);
  const url = new URL(endpoint);
  return url.pathname === '/' ? `${url.origin}/openai/v1` : url.origin + url.pathname.replace(/\/+$/, '');
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
