import { createHmac, generateKeyPairSync, verify } from 'node:crypto';
import { signAws } from '../../../src/providers/auth/sigv4.js';
import { CATALOG, CREDENTIAL_TYPES } from '../../../src/providers/index.js';
import { AuthorizationServer, type TokenRequest } from '../../support/authorization-server.js';
import { brokenInvariants } from '../../support/ledger.js';
import { answer, json, type UpstreamCall } from '../../support/upstream.js';
import { booked, eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const { weir, tenant, upstream } = withWeir({
  environment: async (upstream) => {
    logins = await AuthorizationServer.start();
    return { WEIR_EGRESS_ALLOW: `${upstream.hostPort},${logins.hostPort}` };
  },
  tenant: 'each',
});
let logins: AuthorizationServer;

beforeEach(async () => {
  logins.reset();
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

afterAll(async () => {
  await logins.stop();
});

const PROVIDERS = '/v1/organization/providers';

/** Adds a provider named `up`, and waits until calls go there. */
async function add(type: string, secret: { key: string } | { credential: object }, path = ''): Promise<string> {
  const { id } = await tenant.admin<{ id: string }>('POST', PROVIDERS, {
    type,
    name: 'up',
    base_url: `http://${upstream.hostPort}${path}`,
    models: ['test-model'],
    ...secret,
  });
  await eventually(async () => (await tenant.openai.models.list()).data.length > 0);
  return id;
}

const REQUEST = { model: 'up/test-model', messages: [{ role: 'user' as const, content: 'Hello' }], max_tokens: 100 };
const call = () => tenant.openai.chat.completions.create(REQUEST);
/** The status and code of a call that may fail. */
const statusOf = () =>
  call().then(
    () => '200',
    (error) => `${error.status} ${error.code}`,
  );

const attempts = async () =>
  (await weir.db.query<{ attempts: object[] }>('SELECT attempts FROM calls ORDER BY id DESC LIMIT 1')).rows[0]!.attempts;

const ENTRA = { type: 'entra', tenant_id: 'our-directory', client_id: 'our-app', client_secret: 'entra~secret' };
const entra = () => ({ ...ENTRA, authority: logins.url });
const AWS = { type: 'aws', access_key_id: 'AKIDEXAMPLE', secret_access_key: 'aws/secret', region: 'eu-west-1' };
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const SERVICE_ACCOUNT = {
  type: 'service_account',
  project_id: 'our-project',
  private_key_id: 'k1',
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  client_email: 'weir@our-project.iam.gserviceaccount.com',
  client_id: '1',
  universe_domain: 'googleapis.com',
};
const serviceAccount = () => ({ ...SERVICE_ACCOUNT, token_uri: `${logins.url}/google` });
const VERTEX_PATH = '/v1/projects/our-project/locations/global/publishers/google';

/** What this signature must be, made anew from what arrived. */
function expectSigned({ path, headers, body }: UpstreamCall, keys: { id: string; secret: string; token: string | null }): void {
  const at = new Date(String(headers['x-amz-date']).replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5'));
  expect(Math.abs(at.getTime() - Date.now())).toBeLessThan(60_000);
  const signable = {
    method: 'POST',
    path,
    headers: ['host', headers['host'] as string, 'content-type', headers['content-type'] as string],
    body: JSON.stringify(body),
  };
  const awsKeys = { accessKeyId: keys.id, secretAccessKey: keys.secret, sessionToken: keys.token };
  const signed = signAws(signable, awsKeys, { region: 'eu-west-1', service: 'bedrock' }, at);
  expect(headers['authorization']).toBe(signed.at(-1));
  expect(headers['x-amz-security-token'] ?? null).toBe(keys.token);
}

interface Kind {
  /** A credential type, or `key`. */
  of: string;
  provider: string;
  secret: () => { key: string } | { credential: object };
  path?: string;
  expectShown: (call: UpstreamCall) => void;
  expectAsked?: (request: TokenRequest) => void;
}

const authorization = (call: UpstreamCall) => call.headers['authorization'];

const KINDS: Record<string, Kind> = {
  'two keys in two headers': {
    of: 'headers',
    provider: 'helicone',
    secret: () => ({
      credential: { type: 'headers', headers: { authorization: 'Bearer sk-openai', 'helicone-auth': 'Bearer sk-helicone' } },
    }),
    expectShown: ({ headers }) =>
      expect(headers).toMatchObject({ authorization: 'Bearer sk-openai', 'helicone-auth': 'Bearer sk-helicone' }),
  },
  'a token that was made elsewhere': {
    of: 'token',
    provider: 'azure-openai',
    secret: () => ({ credential: { type: 'token', token: 'foundry-token' } }),
    expectShown: ({ headers }) => {
      expect(headers['authorization']).toBe('Bearer foundry-token');
      expect(headers).not.toHaveProperty('api-key');
    },
  },
  'keys of AWS': {
    of: 'aws',
    provider: 'bedrock',
    secret: () => ({ credential: AWS }),
    expectShown: (shown) => expectSigned(shown, { id: 'AKIDEXAMPLE', secret: 'aws/secret', token: null }),
  },
  'keys of a session of AWS': {
    of: 'aws',
    provider: 'bedrock',
    secret: () => ({ credential: { ...AWS, session_token: 'a+session/token==' } }),
    expectShown: (shown) => expectSigned(shown, { id: 'AKIDEXAMPLE', secret: 'aws/secret', token: 'a+session/token==' }),
  },
  'a role of AWS': {
    of: 'aws',
    provider: 'bedrock',
    secret: () => ({
      credential: { ...AWS, role_arn: 'arn:aws:iam::123456789012:role/models', external_id: 'ours', sts_url: `${logins.url}/sts` },
    }),
    expectAsked: ({ headers, form, body }) => {
      expect(form).toMatchObject({ Action: 'AssumeRole', RoleArn: 'arn:aws:iam::123456789012:role/models', ExternalId: 'ours' });
      const at = new Date(String(headers['x-amz-date']).replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5'));
      const signable = {
        method: 'POST',
        path: '/sts',
        headers: ['host', logins.hostPort, 'content-type', headers['content-type'] as string],
        body,
      };
      const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'aws/secret', sessionToken: null };
      expect(headers['authorization']).toBe(signAws(signable, keys, { region: 'eu-west-1', service: 'sts' }, at).at(-1));
    },
    expectShown: (shown) => expectSigned(shown, { id: 'ASIASESSION', secret: 'session/secret', token: 'session+token==' }),
  },
  'a service account of Google': {
    of: 'service_account',
    provider: 'vertex',
    path: VERTEX_PATH,
    secret: () => ({ credential: serviceAccount() }),
    expectAsked: ({ path, form }) => {
      expect(path).toBe('/google');
      expect(form['grant_type']).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
      const [header, claims, signature] = form['assertion']!.split('.') as [string, string, string];
      expect(verify('sha256', Buffer.from(`${header}.${claims}`), publicKey, Buffer.from(signature, 'base64url'))).toBe(true);
      expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({
        iss: SERVICE_ACCOUNT.client_email,
        aud: `${logins.url}/google`,
      });
    },
    expectShown: (shown) => {
      expect(shown.path).toBe(`${VERTEX_PATH}/models/test-model:generateContent`);
      expect(authorization(shown)).toBe('Bearer token-1');
    },
  },
  'a person’s login at Google': {
    of: 'authorized_user',
    provider: 'vertex',
    path: VERTEX_PATH,
    secret: () => ({
      credential: {
        type: 'authorized_user',
        client_id: 'gcloud',
        client_secret: 'gcloud-secret',
        refresh_token: '1//refresh',
        quota_project_id: 'our-project',
        token_uri: `${logins.url}/google`,
      },
    }),
    expectAsked: ({ form }) =>
      expect(form).toEqual({
        grant_type: 'refresh_token',
        client_id: 'gcloud',
        client_secret: 'gcloud-secret',
        refresh_token: '1//refresh',
      }),
    expectShown: ({ headers }) => expect(headers).toMatchObject({ authorization: 'Bearer token-1', 'x-goog-user-project': 'our-project' }),
  },
  'an application of Microsoft Entra': {
    of: 'entra',
    provider: 'azure-openai',
    secret: () => ({ credential: entra() }),
    expectAsked: ({ path, form }) => {
      expect(path).toBe('/our-directory/oauth2/v2.0/token');
      expect(form).toEqual({
        grant_type: 'client_credentials',
        client_id: 'our-app',
        client_secret: 'entra~secret',
        scope: 'https://cognitiveservices.azure.com/.default',
      });
    },
    expectShown: (shown) => expect(authorization(shown)).toBe('Bearer token-1'),
  },
  'a token of Cloudflare’s AI Gateway beside the key of the vendor behind it': {
    of: 'ai_gateway',
    provider: 'cloudflare',
    secret: () => ({ credential: { type: 'ai_gateway', token: 'cf-token', key: 'sk-vendor' } }),
    expectShown: ({ headers }) =>
      expect(headers).toMatchObject({ 'cf-aig-authorization': 'Bearer cf-token', authorization: 'Bearer sk-vendor' }),
  },
  'a token of an AI Gateway that has the keys of vendors itself': {
    of: 'ai_gateway',
    provider: 'cloudflare',
    secret: () => ({ credential: { type: 'ai_gateway', token: 'cf-token' } }),
    expectShown: ({ headers }) => {
      expect(headers['cf-aig-authorization']).toBe('Bearer cf-token');
      expect(headers).not.toHaveProperty('authorization');
    },
  },
  'a token of an AI Gateway before Workers AI': {
    of: 'ai_gateway',
    provider: 'cloudflare-workers-ai',
    secret: () => ({ credential: { type: 'ai_gateway', token: 'cf-token', key: 'api-token' } }),
    expectShown: ({ headers }) =>
      expect(headers).toMatchObject({ 'cf-aig-authorization': 'Bearer cf-token', authorization: 'Bearer api-token' }),
  },
  'a key of Zhipu in two parts': {
    of: 'key',
    provider: 'glm',
    secret: () => ({ key: 'the-id.the-secret' }),
    expectShown: (shown) => {
      const [header, claims, signature] = String(authorization(shown)).replace('Bearer ', '').split('.') as [string, string, string];
      expect(signature).toBe(createHmac('sha256', 'the-secret').update(`${header}.${claims}`).digest('base64url'));
      expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ api_key: 'the-id' });
    },
  },
};

const STS_ANSWER = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIASESSION</AccessKeyId><SecretAccessKey>session/secret</SecretAccessKey><SessionToken>session+token==</SessionToken>
<Expiration>2026-11-21T13:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`;

describe.each(Object.entries(KINDS))('%s', (_name, kind) => {
  beforeEach(() => {
    if (kind.provider === 'bedrock') logins.script = (_request, response) => response.end(STS_ANSWER);
    upstream.script = json(500, { error: { message: 'that is enough' } });
  });

  test('is shown as the provider wants it', async () => {
    await add(kind.provider, kind.secret(), kind.path);
    await statusOf();
    expect(logins.requests).toHaveLength(kind.expectAsked ? 1 : 0);
    for (const request of logins.requests) kind.expectAsked?.(request);
    expect(upstream.calls).toHaveLength(1);
    kind.expectShown(upstream.calls[0]!);
  });

  test('is never returned, nor stored as it is', async () => {
    const secret = kind.secret();
    const id = await add(kind.provider, secret, kind.path);
    const replies = JSON.stringify([
      await tenant.admin('GET', `${PROVIDERS}/${id}`),
      await tenant.admin('GET', PROVIDERS),
      await tenant.admin('PATCH', `${PROVIDERS}/${id}`, { models: ['*'] }),
      await tenant.admin('POST', `${PROVIDERS}/${id}`, secret),
    ]);
    const { rows } = await weir.db.query<{ sealed: Buffer }>('SELECT sealed FROM credentials');
    for (const text of secretsIn(secret)) {
      expect(replies).not.toContain(text);
      for (const { sealed } of rows) expect(sealed.includes(text)).toBe(false);
    }
  });
});

/** Every text of a credential that nobody may read. */
const secretsIn = (secret: object): string[] =>
  [
    ...JSON.stringify(secret).matchAll(
      /"(?:key|token|\w*secret\w*|private_key|refresh_token|session_token|authorization|helicone-auth)":"([^"]+)"/g,
    ),
  ].map(([, text]) => text!);

test('every form of a credential that a type takes is tried here', () => {
  expect(new Set(Object.values(KINDS).map(({ of }) => of))).toEqual(new Set([...CREDENTIAL_TYPES, 'key']));
  expect(new Set(CATALOG.flatMap(({ credentialTypes }) => credentialTypes))).toEqual(new Set(CREDENTIAL_TYPES));
});

describe('a token that has to be fetched', () => {
  test('is fetched once for 32 calls at once, and not again for the next', async () => {
    await add('azure-openai', { credential: entra() });
    expect(await Promise.all(Array.from({ length: 32 }, statusOf))).toEqual(Array(32).fill('200'));
    expect(await statusOf()).toBe('200');
    expect(logins.requests).toHaveLength(1);
    expect(upstream.calls).toHaveLength(33);
    expect((await booked(weir, tenant)).every(({ status }) => status === 'completed')).toBe(true);
  });

  test('outlives other changes of its tenant', async () => {
    await add('azure-openai', { credential: entra() });
    await call();
    await tenant.admin('POST', PROVIDERS, { type: 'openai', name: 'other', key: 'sk-1', models: ['m'] });
    await eventually(async () => (await tenant.openai.models.list()).data.length === 2);
    await call();
    expect(logins.requests).toHaveLength(1);
  });

  test('is fetched anew when the provider refuses it, and the call is made again once', async () => {
    await add('azure-openai', { credential: entra() });
    await call();
    const ok = answer();
    upstream.script = (received, response) => (authorization(received) === 'Bearer token-1' ? json(401, {}) : ok)(received, response);
    const { response } = await call().withResponse();
    expect(response.headers.get('x-weir-attempts')).toBe('2');
    expect(logins.requests).toHaveLength(2);
    expect(upstream.calls.map(authorization)).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-2']);
    expect(upstream.calls[2]!.body).toEqual(upstream.calls[1]!.body);
    expect(await attempts()).toMatchObject([
      { provider: 'up', status: 401, reason: 'provider_auth_failed' },
      { provider: 'up', status: 200, reason: null },
    ]);
    expect((await booked(weir, tenant)).map(({ status }) => status)).toEqual(['completed', 'completed']);
  });

  test('that is refused again ends the call, which costs nothing', async () => {
    await add('azure-openai', { credential: entra() });
    upstream.script = json(401, { error: { message: 'no' } });
    expect(await statusOf()).toBe('502 provider_auth_failed');
    expect(upstream.calls).toHaveLength(2);
    expect(await attempts()).toMatchObject([{ status: 401 }, { status: 401 }]);
    expect(await booked(weir, tenant)).toMatchObject([{ status: 'failed', error_code: 'provider_auth_failed', amount: null }]);
  });

  test.each<[string, AuthorizationServer['script'], string]>([
    ['is refused', (_request, response) => response.writeHead(400).end('{"error":"invalid_client"}'), '502 provider_auth_failed'],
    ['fails', (_request, response) => response.writeHead(503).end(), '502 provider_token_unavailable'],
    ['is no token', (_request, response) => response.end('{"access_token": 1}'), '502 provider_token_unavailable'],
    ['redirects', (_request, response) => response.writeHead(302, { location: '/' }).end(), '502 provider_token_unavailable'],
    ['is too long', (_request, response) => response.end(`{"access_token":"${'x'.repeat(70_000)}"}`), '502 provider_token_unavailable'],
    ['breaks off', (_request, response) => response.socket!.destroy(), '502 provider_token_unavailable'],
  ])('and %s: nothing is sent to the provider, and nothing is charged', async (_name, script, expected) => {
    await add('azure-openai', { credential: entra() });
    logins.script = script;
    expect(await statusOf()).toBe(expected);
    expect(upstream.calls).toHaveLength(0);
    expect(await booked(weir, tenant)).toMatchObject([{ status: 'failed', error_code: expected.slice(4), amount: null }]);
  });

  test('a client that leaves while it is fetched is not charged, and nothing is sent', async () => {
    await add('azure-openai', { credential: entra() });
    const client = new AbortController();
    let answerLate = () => {};
    logins.script = (request, response) => {
      answerLate = () => logins.giveToken()(request, response);
      client.abort();
    };
    await expect(tenant.openai.chat.completions.create(REQUEST, { signal: client.signal })).rejects.toThrow();
    await eventually(async () => (await booked(weir, tenant)).length === 1);
    expect(await booked(weir, tenant)).toMatchObject([{ status: 'failed', error_code: 'client_gone', amount: null }]);
    answerLate();
    await call(); // by the token that came too late
    expect(logins.requests).toHaveLength(1);
    expect(upstream.calls).toHaveLength(1);
  });
});

test('a plain key that is refused is not tried again', async () => {
  await add('azure-openai', { key: 'plain' });
  upstream.script = json(401, {});
  expect(await statusOf()).toBe('502 provider_auth_failed');
  expect(upstream.calls).toHaveLength(1);
});

test('an address is made of what the credential tells', async () => {
  const address = async (type: string, credential: object) =>
    (await tenant.admin<{ base_url: string }>('POST', PROVIDERS, { type, name: `p${Math.random()}`, credential })).base_url;
  expect(await address('bedrock', AWS)).toBe('https://bedrock-runtime.eu-west-1.amazonaws.com');
  expect(await address('vertex', { ...SERVICE_ACCOUNT, location: 'europe-west4' })).toBe(
    'https://europe-west4-aiplatform.googleapis.com/v1/projects/our-project/locations/europe-west4',
  );
});

describe('400', () => {
  const bedrock = (credential: unknown, more: object = {}) => ({ type: 'bedrock', credential, ...more });
  const azure = (credential: object) => ({ type: 'azure-openai', base_url: 'https://our.openai.azure.com/openai/v1', credential });

  test.each<[string, object, string, RegExp]>([
    ['a missing field', bedrock({ ...AWS, secret_access_key: undefined }), 'credential.secret_access_key', /is missing/],
    ['an empty field', bedrock({ ...AWS, access_key_id: '' }), 'credential.access_key_id', /must not be empty/],
    ['a field there is none of', bedrock({ ...AWS, regoin: 'x' }), 'credential.regoin', /is not known here/],
    ['no role', bedrock({ ...AWS, role_arn: 'models' }), 'credential.role_arn', /ARN of a role/],
    ['a form there is none of', bedrock({ type: 'oauth' }), 'credential.type', /must be one of "headers"/],
    ['no form', bedrock({ access_key_id: 'x' }), 'credential.type', /is missing/],
    ['no object', bedrock('AKIDEXAMPLE'), 'credential', /must be a JSON object/],
    ['a form the type does not take', bedrock(ENTRA), 'credential.type', /must be "aws" for a provider of type "bedrock"/],
    ['a key beside it', bedrock(AWS, { key: 'sk' }), 'credential', /together with "key"/],
    [
      'no region',
      bedrock({ ...AWS, region: undefined }, { base_url: 'https://bedrock.example.com' }),
      'credential.region',
      /names no region/,
    ],
    [
      'no private key',
      { type: 'vertex', credential: { ...SERVICE_ACCOUNT, private_key: 'x' } },
      'credential.private_key',
      /RSA private key/,
    ],
    ['an address that is not allowed', azure({ ...ENTRA, authority: 'https://169.254.169.254' }), 'credential.authority', /is refused/],
    [
      'a header that is Weir’s',
      { type: 'helicone', credential: { type: 'headers', headers: { host: 'x' } } },
      'credential.headers.host',
      /Weir writes/,
    ],
    [
      'a gateway’s token where there is none',
      azure({ type: 'ai_gateway', token: 'x' }),
      'credential.type',
      /for a provider of type "azure-openai"/,
    ],
    [
      'a key alone',
      { type: 'cloudflare', base_url: 'https://a.example.com', credential: { type: 'ai_gateway', key: 'x' } },
      'credential.token',
      /is missing/,
    ],
    ['no header', { type: 'helicone', credential: { type: 'headers', headers: {} } }, 'credential.headers', /1 to 8/],
    ['a credential as a key', { type: 'vertex', base_url: 'https://a.example.com', key: '{"type":1}' }, 'key', /goes into "credential"/],
  ])('%s', async (_name, body, param, message) => {
    const response = await fetch(`${weir.adminUrl}${PROVIDERS}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tenant.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'bad', ...body }),
    });
    const text = await response.text();
    expect(response.status).toBe(400);
    expect(JSON.parse(text).error).toMatchObject({ param, message: expect.stringMatching(message) });
    for (const secret of ['aws/secret', 'entra~secret', 'PRIVATE KEY']) expect(text).not.toContain(secret);
  });
});
