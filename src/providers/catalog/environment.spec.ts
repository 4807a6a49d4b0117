import { ConfigError } from '../../platform/config/index.js';
import { providerType } from './catalog.js';
import { platformCredential } from './environment.js';

/** What a start finds for a type: an address, and a key or the fields of a credential. */
function found(slug: string, variables: Record<string, string>, files: Record<string, string> = {}) {
  const file = (path: string) => {
    if (!(path in files)) throw new Error('no such file');
    return files[path]!;
  };
  const credential = platformCredential(providerType(slug)!, { variable: (name) => variables[name], file });
  if (!credential) return null;
  const { secret, ...rest } = credential;
  return { ...rest, secret: secret.startsWith('{') ? JSON.parse(secret) : secret };
}

const AWS = { AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'secret' };

test('a key is found by the variables of its type, the first that is set', () => {
  expect(found('gemini', { GOOGLE_API_KEY: 'g' })).toEqual({ baseUrl: 'https://generativelanguage.googleapis.com/v1beta', secret: 'g' });
  expect(found('gemini', {})).toBeNull();
});

test('Bedrock is reached in the region of the environment, by a key before keys that sign', () => {
  expect(found('bedrock', { ...AWS, AWS_BEARER_TOKEN_BEDROCK: 'ABSK', AWS_DEFAULT_REGION: 'eu-west-1' })).toEqual({
    baseUrl: 'https://bedrock-runtime.eu-west-1.amazonaws.com',
    secret: 'ABSK',
  });
  expect(found('bedrock', { ...AWS, AWS_SESSION_TOKEN: 't', AWS_REGION: 'us-west-2', AWS_DEFAULT_REGION: 'eu-west-1' })).toEqual({
    baseUrl: 'https://bedrock-runtime.us-west-2.amazonaws.com',
    secret: { type: 'aws', access_key_id: 'AKID', secret_access_key: 'secret', session_token: 't', region: 'us-west-2' },
  });
  expect(found('bedrock', AWS)).toMatchObject({ baseUrl: 'https://bedrock-runtime.us-east-1.amazonaws.com' });
  expect(found('bedrock', { AWS_ACCESS_KEY_ID: 'AKID' })).toBeNull();
});

test('Azure needs its endpoint, and takes a key, a token or an application', () => {
  const endpoint = { AZURE_OPENAI_ENDPOINT: 'https://our.openai.azure.com/' };
  const entra = { AZURE_TENANT_ID: 't', AZURE_CLIENT_ID: 'c', AZURE_CLIENT_SECRET: 's' };
  const baseUrl = 'https://our.openai.azure.com/openai/v1';
  expect(found('azure-openai', { ...endpoint, ...entra, AZURE_OPENAI_API_KEY: 'k', FOUNDRY_AGENT_TOKEN: 'f' })).toEqual({
    baseUrl,
    secret: 'k',
  });
  expect(found('azure-openai', { ...endpoint, ...entra, FOUNDRY_AGENT_TOKEN: 'f' })).toEqual({
    baseUrl,
    secret: { type: 'token', token: 'f' },
  });
  expect(found('azure-openai', { ...endpoint, ...entra })).toEqual({
    baseUrl,
    secret: { type: 'entra', tenant_id: 't', client_id: 'c', client_secret: 's' },
  });
  expect(found('azure-openai', { AZURE_OPENAI_API_KEY: 'k' })).toBeNull();
  expect(() => found('azure-openai', { AZURE_OPENAI_ENDPOINT: 'our', AZURE_OPENAI_API_KEY: 'k' })).toThrow(ConfigError);
});

test('Azure is asked by a date and a deployment where the environment names them', () => {
  const at = (variables: Record<string, string>) => {
    const { baseUrl, defaultModel } = found('azure-openai', { AZURE_OPENAI_API_KEY: 'k', ...variables })!;
    return [baseUrl, defaultModel];
  };
  const host = 'https://our.openai.azure.com';
  const dated = `${host}/openai?api-version=2024-10-21`;
  const version = { AZURE_OPENAI_API_VERSION: '2024-10-21' };
  expect(at({ AZURE_OPENAI_ENDPOINT: `${host}/`, ...version })).toEqual([dated, undefined]);
  expect(at({ AZURE_OPENAI_ENDPOINT: host, ...version, AZURE_OPENAI_DEPLOYMENT: 'ours' })).toEqual([dated, 'ours']);
  expect(at({ AZURE_OPENAI_ENDPOINT: `${host}/openai/deployments/ours/chat/completions`, ...version })).toEqual([dated, 'ours']);
  expect(at({ AZURE_OPENAI_ENDPOINT: `${host}/openai/deployments/ours/embeddings?api-version=2024-10-21` })).toEqual([dated, 'ours']);
  for (const undated of ['v1', 'preview'])
    expect(at({ AZURE_OPENAI_ENDPOINT: host, AZURE_OPENAI_API_VERSION: undated })).toEqual([`${host}/openai/v1`, undefined]);
  expect(at({ AZURE_OPENAI_ENDPOINT: `${host}/openai/v1/`, ...version })).toEqual([`${host}/openai/v1`, undefined]);
  expect(() => at({ AZURE_OPENAI_ENDPOINT: host, AZURE_OPENAI_API_VERSION: 'yesterday' })).toThrow(/AZURE_OPENAI_API_VERSION/);
});

test('Claude on Foundry is found by the variables of Anthropic’s SDK, and signs in as Azure does', () => {
  const key = { ANTHROPIC_FOUNDRY_API_KEY: 'k' };
  expect(found('anthropic-foundry', { ...key, ANTHROPIC_FOUNDRY_RESOURCE: 'ours' })).toEqual({
    baseUrl: 'https://ours.services.ai.azure.com/anthropic',
    secret: 'k',
  });
  const address = { ANTHROPIC_FOUNDRY_BASE_URL: 'https://foundry.example.com/anthropic/' };
  expect(found('anthropic-foundry', { ...address, FOUNDRY_AGENT_TOKEN: 'f' })).toEqual({
    baseUrl: 'https://foundry.example.com/anthropic',
    secret: { type: 'token', token: 'f' },
  });
  expect(found('anthropic-foundry', key)).toBeNull();
  expect(found('anthropic-foundry', address)).toBeNull();
  expect(() => found('anthropic-foundry', { ...key, ANTHROPIC_FOUNDRY_BASE_URL: 'foundry' })).toThrow(ConfigError);
});

test('Vertex is reached by the file that Google’s own programs use, which others use too', () => {
  const user = { type: 'authorized_user', client_id: 'c', client_secret: 's', refresh_token: 'r', quota_project_id: 'q' };
  const files = { '/user.json': JSON.stringify(user), '/other.json': '{"type":"external_account"}' };
  expect(found('google-vertex-ai', { GOOGLE_APPLICATION_CREDENTIALS: '/user.json' }, files)).toEqual({
    baseUrl: 'https://aiplatform.googleapis.com/v1/projects/q/locations/global',
    secret: user,
  });
  const named = { GOOGLE_VERTEX_PROJECT: 'ours', GOOGLE_VERTEX_LOCATION: 'europe-west4' };
  expect(found('google-vertex-ai', { GOOGLE_APPLICATION_CREDENTIALS: '/user.json', ...named }, files)).toMatchObject({
    baseUrl: 'https://europe-west4-aiplatform.googleapis.com/v1/projects/ours/locations/europe-west4',
  });
  for (const path of ['/other.json', '/missing.json']) {
    expect(found('google-vertex-ai', { GOOGLE_APPLICATION_CREDENTIALS: path }, files)).toBeNull();
    expect(() => found('google-vertex-ai', { GOOGLE_APPLICATION_CREDENTIALS: path, ...named }, files)).toThrow(ConfigError);
  }
});

describe('the identity of the workload', () => {
  const external = {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/o',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: 'https://sts.googleapis.com/v1/token',
    credential_source: { file: '/var/run/token' },
  };
  const files = {
    '/file.json': JSON.stringify(external),
    '/url.json': JSON.stringify({ ...external, credential_source: { url: 'http://a' } }),
  };
  const file = { GOOGLE_APPLICATION_CREDENTIALS: '/file.json' };
  const project = { GOOGLE_VERTEX_PROJECT: 'ours' };
  const agent = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/1', AWS_CONTAINER_AUTHORIZATION_TOKEN: 'secret' };
  const endpoint = { AZURE_OPENAI_ENDPOINT: 'https://our.openai.azure.com/' };
  const service = { IDENTITY_ENDPOINT: 'http://localhost:42356/msi/token', IDENTITY_HEADER: 'secret' };

  test.each([
    ['bedrock', agent, 'aws_container'],
    ['azure-openai', { ...endpoint, ...service }, 'azure_app_service'],
    ['anthropic-foundry', { ANTHROPIC_FOUNDRY_RESOURCE: 'ours', ...service }, 'azure_app_service'],
    ['google-vertex-ai', { ...project, GCE_METADATA_HOST: 'metadata.google.internal' }, 'google_instance'],
    ['google-vertex-ai', { ...project, ...file }, 'google_external_account'],
  ])('of %s is sealed by its name alone', (slug, variables, kind) => {
    expect(found(slug, variables, files)!.secret).toEqual({ type: 'identity', kind });
  });

  test('comes after all that is given for the provider itself', () => {
    expect(found('bedrock', { ...AWS, ...agent })).toMatchObject({ secret: { type: 'aws' } });
    const entra = { AZURE_TENANT_ID: 't', AZURE_CLIENT_ID: 'c', AZURE_CLIENT_SECRET: 's', AZURE_FEDERATED_TOKEN_FILE: '/token' };
    expect(found('azure-openai', { ...endpoint, ...service, ...entra })).toMatchObject({ secret: { type: 'entra' } });
  });

  test('of Google needs a project, which is a fault only where the identity is asked for by name', () => {
    expect(found('google-vertex-ai', { GCE_METADATA_HOST: 'h' })).toBeNull();
    expect(found('google-vertex-ai', file, files)).toBeNull();
    expect(() => found('google-vertex-ai', { WEIR_INSTANCE_IDENTITY: 'google' })).toThrow(/^GOOGLE_VERTEX_PROJECT is missing/);
  });

  test('of a file whose token is not in a file is refused', () => {
    const variables = { ...project, GOOGLE_APPLICATION_CREDENTIALS: '/url.json' };
    expect(() => found('google-vertex-ai', variables, files)).toThrow(/an external account with a token in a file/);
  });
});

test('a role is taken on by keys as well, where one is named', () => {
  const role_arn = 'arn:aws:iam::123456789012:role/models';
  expect(found('bedrock', { ...AWS, AWS_REGION: 'eu-west-1', WEIR_AWS_ROLE_ARN: role_arn })!.secret).toMatchObject({
    role_arn,
    sts_url: 'https://sts.eu-west-1.amazonaws.com/',
  });
});

test('an address instead of the vendor’s is kept without its last slash', () => {
  const told = 'https://vpce-1.example.com/';
  expect(found('bedrock', { ...AWS, AWS_ENDPOINT_URL_BEDROCK_RUNTIME: told })!.baseUrl).toBe('https://vpce-1.example.com');
  expect(found('google-vertex-ai', { GOOGLE_VERTEX_PROJECT: 'ours', GCE_METADATA_HOST: 'h', GOOGLE_VERTEX_BASE_URL: told })!.baseUrl).toBe(
    'https://vpce-1.example.com/v1/projects/ours/locations/global',
  );
});

test('Helicone is shown its key beside OpenAI’s', () => {
  expect(found('helicone', { HELICONE_API_KEY: 'h', OPENAI_API_KEY: 'o' })).toMatchObject({
    secret: { type: 'headers', headers: { authorization: 'Bearer o', 'helicone-auth': 'Bearer h' } },
  });
  expect(found('helicone', { OPENAI_API_KEY: 'o' })).toBeNull();
});
