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
  const { secret, baseUrl } = credential;
  return { baseUrl, secret: secret.startsWith('{') ? JSON.parse(secret) : secret };
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

test('Vertex is reached by the file that Google’s own programs use, which others use too', () => {
  const user = { type: 'authorized_user', client_id: 'c', client_secret: 's', refresh_token: 'r', quota_project_id: 'q' };
  const files = { '/user.json': JSON.stringify(user), '/other.json': '{"type":"external_account"}' };
  expect(found('google-vertex-ai', { GOOGLE_APPLICATION_CREDENTIALS: '/user.json' }, files)).toEqual({
    baseUrl: 'https://aiplatform.googleapis.com/v1/projects/q/locations/global/publishers/google',
    secret: user,
  });
  const named = { GOOGLE_VERTEX_PROJECT: 'ours', GOOGLE_VERTEX_LOCATION: 'europe-west4' };
  expect(found('google-vertex-ai', { GOOGLE_APPLICATION_CREDENTIALS: '/user.json', ...named }, files)).toMatchObject({
    baseUrl: 'https://europe-west4-aiplatform.googleapis.com/v1/projects/ours/locations/europe-west4/publishers/google',
  });
  for (const path of ['/other.json', '/missing.json']) {
    expect(found('google-vertex-ai', { GOOGLE_APPLICATION_CREDENTIALS: path }, files)).toBeNull();
    expect(() => found('google-vertex-ai', { GOOGLE_APPLICATION_CREDENTIALS: path, ...named }, files)).toThrow(ConfigError);
  }
});

test('Helicone is shown its key beside OpenAI’s', () => {
  expect(found('helicone', { HELICONE_API_KEY: 'h', OPENAI_API_KEY: 'o' })).toMatchObject({
    secret: { type: 'headers', headers: { authorization: 'Bearer o', 'helicone-auth': 'Bearer h' } },
  });
  expect(found('helicone', { OPENAI_API_KEY: 'o' })).toBeNull();
});
