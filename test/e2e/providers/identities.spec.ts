import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signAws } from '../../../src/providers/auth/sigv4.js';
import { AuthorizationServer, type TokenRequest } from '../../support/authorization-server.js';
import { ConnectSpy } from '../../support/connect-spy.js';
import { brokenInvariants } from '../../support/ledger.js';
import { answer, json, type Script, ScriptedUpstream, type UpstreamCall } from '../../support/upstream.js';
import { admin, booked, createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { clientOf } from '../admin/client.js';

/** Endpoints inside of the cloud: no call may go there, `WEIR_EGRESS_ALLOW` does not name them. */
let inside: AuthorizationServer;
/** Servers that anybody may reach. */
let outside: AuthorizationServer;
let upstream: ScriptedUpstream;
const files = mkdtempSync(join(tmpdir(), 'weir-identities-'));
const file = (name: string, text: string): string => {
  writeFileSync(join(files, name), text);
  return join(files, name);
};

beforeAll(async () => {
  inside = await AuthorizationServer.start();
  outside = await AuthorizationServer.start();
  upstream = await ScriptedUpstream.start();
});

afterAll(async () => {
  await Promise.all([inside.stop(), outside.stop(), upstream.stop()]);
  rmSync(files, { recursive: true });
});

// --- the cloud

const REGION = 'eu-west-1';
const ROLE = 'arn:aws:iam::123456789012:role/weir';
/** How long what the cloud gives out is good for. */
let lifeMs = 3_600_000;

const give = (response: ServerResponse, body: object | string, status = 200) =>
  response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));

/** Every token and key is another. */
let given = 0;
const another = (name: string) => `${name}-${++given}`;

const ENDPOINTS: Record<string, (response: ServerResponse, request: TokenRequest) => void> = {
  '/sts': (response, { form }) =>
    give(
      response,
      `<R><Credentials><AccessKeyId>ASIA${form['Action']}</AccessKeyId><SecretAccessKey>secret-of-${form['Action']}</SecretAccessKey>` +
        `<SessionToken>session-of-${form['Action']}</SessionToken></Credentials></R>`,
    ),
  '/agent/keys': (response) => give(response, keysOf(another('agent'))),
  '/latest/api/token': (response) => give(response, 'imds-token'),
  '/latest/meta-data/iam/security-credentials/': (response) => give(response, 'weir-role\n'),
  '/latest/meta-data/iam/security-credentials/weir-role': (response) => give(response, { Code: 'Success', ...keysOf('imds') }),
  '/msi/token': (response) =>
    give(response, { access_token: another('msi'), expires_on: String(Math.floor((Date.now() + lifeMs) / 1_000)), token_type: 'Bearer' }),
  '/metadata/identity/oauth2/token': (response) =>
    give(response, { access_token: another('vm'), expires_in: '3599', token_type: 'Bearer' }),
  '/our-directory/oauth2/v2.0/token': (response) => give(response, { access_token: another('entra'), expires_in: 3_599 }),
  '/google/sts': (response) => give(response, { access_token: another('federated'), expires_in: 3_599 }),
  '/google/impersonate': (response) =>
    give(response, { accessToken: another('service'), expireTime: new Date(Date.now() + lifeMs).toISOString() }),
  '/computeMetadata/v1/instance/service-accounts/default/token': (response) =>
    give(response, { access_token: another('gce'), expires_in: 3_599, token_type: 'Bearer' }),
};

const keysOf = (name: string) => ({
  AccessKeyId: `ASIA${name}`,
  SecretAccessKey: `secret-of-${name}`,
  Token: `session-of-${name}`,
  Expiration: new Date(Date.now() + lifeMs).toISOString(),
});

const serve = (server: AuthorizationServer) => {
  server.reset();
  server.script = (request, response) => {
    const endpoint = ENDPOINTS[request.path.split('?')[0]!];
    if (endpoint) endpoint(response, request);
    else give(response, '', 404);
  };
};

const breakOff: AuthorizationServer['script'] = (_request, response) => response.socket!.destroy();

/** Each provider answers in its own format. */
const answers: Script = (call, response) => {
  if (call.path.endsWith('/converse'))
    return json(200, {
      output: { message: { role: 'assistant', content: [{ text: 'Hello' }] } },
      stopReason: 'end_turn',
      usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
    })(call, response);
  if (call.path.includes(':generateContent'))
    return json(200, {
      candidates: [{ content: { role: 'model', parts: [{ text: 'Hello' }] }, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
    })(call, response);
  return answer()(call, response);
};

// --- the identities

interface Kind {
  provider: string;
  /** What is asked for one token, by method and path. */
  asked: string[];
  expectAsked(requests: TokenRequest[]): void;
  /** Who gave out what the calls are shown with: a bearer, or keys that sign. */
  shown: { bearer: string } | { keys: string };
}

interface Machine {
  environment(): Record<string, string>;
  kinds: Record<string, Kind>;
}

const bedrock = () => ({ AWS_REGION: REGION, AWS_ENDPOINT_URL_BEDROCK_RUNTIME: `http://${upstream.hostPort}` });
const azure = () => ({ AZURE_OPENAI_ENDPOINT: `http://${upstream.hostPort}` });
const vertex = () => ({ GOOGLE_VERTEX_PROJECT: 'ours', GOOGLE_VERTEX_BASE_URL: `http://${upstream.hostPort}` });

const externalAccount = (more: object, source: object) =>
  JSON.stringify({
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/o',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${outside.url}/google/sts`,
    credential_source: source,
    ...more,
  });

const MACHINES: Record<string, Machine> = {
  'a pod with tokens in files': {
    environment: () => ({
      ...bedrock(),
      AWS_WEB_IDENTITY_TOKEN_FILE: file('aws', 'aws.jwt\n'),
      AWS_ROLE_ARN: ROLE,
      AWS_ROLE_SESSION_NAME: 'our-pod',
      AWS_ENDPOINT_URL_STS: `${outside.url}/sts`,
      ...azure(),
      AZURE_FEDERATED_TOKEN_FILE: file('azure', 'azure.jwt\n'),
      AZURE_TENANT_ID: 'our-directory',
      AZURE_CLIENT_ID: 'our-client',
      AZURE_AUTHORITY_HOST: outside.url,
      ...vertex(),
      GOOGLE_APPLICATION_CREDENTIALS: file(
        'google.json',
        externalAccount(
          { service_account_impersonation_url: `${outside.url}/google/impersonate` },
          { file: file('google', '{"token": "google.jwt"}'), format: { type: 'json', subject_token_field_name: 'token' } },
        ),
      ),
    }),
    kinds: {
      'a web identity of AWS': {
        provider: 'bedrock',
        asked: ['POST /sts'],
        expectAsked: ([request]) => {
          expect(request!.headers).not.toHaveProperty('authorization');
          expect(request!.form).toEqual({
            Action: 'AssumeRoleWithWebIdentity',
            Version: '2011-06-15',
            RoleArn: ROLE,
            RoleSessionName: 'our-pod',
            DurationSeconds: '3600',
            WebIdentityToken: 'aws.jwt',
          });
        },
        shown: { keys: 'AssumeRoleWithWebIdentity' },
      },
      'a federated identity of Azure': {
        provider: 'azure-openai',
        asked: ['POST /our-directory/oauth2/v2.0/token'],
        expectAsked: ([request]) =>
          expect(request!.form).toEqual({
            grant_type: 'client_credentials',
            client_id: 'our-client',
            scope: 'https://cognitiveservices.azure.com/.default',
            client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
            client_assertion: 'azure.jwt',
          }),
        shown: { bearer: 'entra' },
      },
      'an external account of Google that acts as a service account': {
        provider: 'google-vertex-ai',
        asked: ['POST /google/sts', 'POST /google/impersonate'],
        expectAsked: ([exchange, impersonation]) => {
          expect(exchange!.form).toEqual({
            grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
            requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
            audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/o',
            scope: 'https://www.googleapis.com/auth/cloud-platform',
            subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
            subject_token: 'google.jwt',
          });
          expect(impersonation!.headers['authorization']).toMatch(/^Bearer federated-\d+$/);
          expect(JSON.parse(impersonation!.body)).toEqual({
            scope: ['https://www.googleapis.com/auth/cloud-platform'],
            lifetime: '3600s',
          });
        },
        shown: { bearer: 'service' },
      },
    },
  },
  'a container with an agent beside it': {
    environment: () => ({
      ...bedrock(),
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${inside.url}/agent/keys`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file('agent', 'agent-token'),
      ...azure(),
      AZURE_CLIENT_ID: 'our-client',
      IDENTITY_ENDPOINT: `${inside.url}/msi/token`,
      IDENTITY_HEADER: 'identity-header',
      ...vertex(),
      GCE_METADATA_HOST: inside.hostPort,
    }),
    kinds: {
      'a container of AWS': {
        provider: 'bedrock',
        asked: ['GET /agent/keys'],
        expectAsked: ([request]) => expect(request!.headers).toMatchObject({ authorization: 'agent-token' }),
        shown: { keys: 'agent' },
      },
      'a managed identity of App Service': {
        provider: 'azure-openai',
        asked: ['GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fcognitiveservices.azure.com&client_id=our-client'],
        expectAsked: ([request]) => expect(request!.headers).toMatchObject({ 'x-identity-header': 'identity-header' }),
        shown: { bearer: 'msi' },
      },
      'the metadata server of Google': {
        provider: 'google-vertex-ai',
        asked: [
          'GET /computeMetadata/v1/instance/service-accounts/default/token?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform',
        ],
        expectAsked: ([request]) => expect(request!.headers).toMatchObject({ 'metadata-flavor': 'Google' }),
        shown: { bearer: 'gce' },
      },
    },
  },
  'a virtual machine': {
    environment: () => ({
      ...bedrock(),
      AWS_EC2_METADATA_SERVICE_ENDPOINT: inside.url,
      WEIR_AWS_ROLE_ARN: ROLE,
      AWS_ENDPOINT_URL_STS: `${outside.url}/sts`,
      ...azure(),
      AZURE_POD_IDENTITY_AUTHORITY_HOST: inside.url,
      ...vertex(),
      GOOGLE_APPLICATION_CREDENTIALS: file('google.json', externalAccount({}, { file: file('google', 'google.jwt\n') })),
    }),
    kinds: {
      'the role of an instance of AWS, which takes on another': {
        provider: 'bedrock',
        asked: [
          'PUT /latest/api/token',
          'GET /latest/meta-data/iam/security-credentials/',
          'GET /latest/meta-data/iam/security-credentials/weir-role',
          'POST /sts',
        ],
        expectAsked: ([token, list, keys, role]) => {
          expect(token!.headers).toMatchObject({ 'x-aws-ec2-metadata-token-ttl-seconds': '300' });
          for (const read of [list, keys]) expect(read!.headers).toMatchObject({ 'x-aws-ec2-metadata-token': 'imds-token' });
          expect(role!.form).toMatchObject({ Action: 'AssumeRole', RoleArn: ROLE });
          expect(role!.headers).toMatchObject({ 'x-amz-security-token': 'session-of-imds' });
          expect(role!.headers['authorization']).toMatch(/^AWS4-HMAC-SHA256 Credential=ASIAimds\/\d{8}\/eu-west-1\/sts\//);
        },
        shown: { keys: 'AssumeRole' },
      },
      'a managed identity of a machine of Azure': {
        provider: 'azure-openai',
        asked: ['GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fcognitiveservices.azure.com'],
        expectAsked: ([request]) => expect(request!.headers).toMatchObject({ metadata: 'true' }),
        shown: { bearer: 'vm' },
      },
      'an external account of Google': {
        provider: 'google-vertex-ai',
        asked: ['POST /google/sts'],
        expectAsked: ([request]) => expect(request!.form).toMatchObject({ subject_token: 'google.jwt' }),
        shown: { bearer: 'federated' },
      },
    },
  },
};

// --- calls

let weir: TestWeir;
let tenant: TestTenant;

/** A product in this environment, with a tenant that may use the platform's providers. */
async function start(environment: Record<string, string>): Promise<void> {
  weir = await startTestWeir({ WEIR_EGRESS_ALLOW: `${upstream.hostPort},${outside.hostPort}`, ...environment });
  tenant = await createTenant(weir);
  const { data } = await admin<{ data: { id: string; provider: string }[] }>(weir, weir.operatorKey, 'GET', '/v1/platform/credentials');
  for (const { id, provider } of data) {
    // Where the platform pays, a model without a price is refused.
    await admin(weir, weir.operatorKey, 'POST', '/v1/platform/prices', { provider, model: '*', input: '1', output: '1' });
    await admin(weir, weir.operatorKey, 'POST', `/v1/platform/credentials/${id}/grants`, { tenant: tenant.id });
  }
  const isThere = (model: string) =>
    tenant.openai.models.retrieve(model).then(
      () => true,
      () => false,
    );
  for (const { provider } of data) await eventually(() => isThere(`${provider}/test-model`));
}

const call = (provider: string) =>
  tenant.openai.chat.completions.create({
    model: `${provider}/test-model`,
    messages: [{ role: 'user', content: 'Hello' }],
    max_tokens: 100,
  });

/** The status and code of a call that may fail. */
const statusOf = (provider: string) =>
  call(provider).then(
    () => '200',
    (error) => `${error.status} ${error.code}`,
  );

const asked = () => [...inside.requests, ...outside.requests];
const bearers = () => upstream.calls.map(({ headers }) => headers['authorization']);

/** The signature of Bedrock, made anew from what arrived. Answers which keys it is by. */
function signerOf({ path, headers, body }: UpstreamCall): string {
  const name = String(headers['x-amz-security-token']).replace('session-of-', '');
  const at = new Date(String(headers['x-amz-date']).replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5'));
  const signable = {
    method: 'POST',
    path,
    headers: ['host', headers['host'] as string, 'content-type', headers['content-type'] as string],
    body: JSON.stringify(body),
  };
  const keys = { accessKeyId: `ASIA${name}`, secretAccessKey: `secret-of-${name}`, sessionToken: `session-of-${name}` };
  expect(headers['authorization']).toBe(signAws(signable, keys, { region: REGION, service: 'bedrock' }, at).at(-1));
  return name;
}

describe.each(Object.entries(MACHINES))('%s', (_machine, { environment, kinds }) => {
  beforeAll(() => start(environment()));
  afterAll(async () => {
    expect(await brokenInvariants(weir.db)).toEqual([]);
    await weir.stop();
  });
  beforeEach(() => {
    lifeMs = 3_600_000;
    serve(inside);
    serve(outside);
    upstream.calls.length = 0;
    upstream.script = answers;
  });

  // A process starts without a token, so the tests of a kind go on from one another.
  describe.each(Object.entries(kinds))('%s', (_kind, { provider, asked: wanted, expectAsked, shown }) => {
    test('that cannot be asked for: nothing is sent, nothing is charged, and nobody is told where it is', async () => {
      inside.script = outside.script = breakOff;
      expect(await statusOf(provider)).toBe('502 provider_token_unavailable');
      const message = await call(provider).catch((error: Error) => error.message);
      for (const address of [inside.hostPort, outside.hostPort]) expect(message).not.toContain(address);
      expect(upstream.calls).toEqual([]);
      expect((await booked(weir, tenant)).at(-1)).toMatchObject({
        status: 'failed',
        error_code: 'provider_token_unavailable',
        amount: null,
      });
    });

    test('is asked for once for 32 calls at once, which it is shown with', async () => {
      const all = () => Promise.all(Array.from({ length: 32 }, () => statusOf(provider)));
      await eventually(async () => (await all()).every((status) => status === '200'));
      expect(asked().map(({ method, path }) => `${method} ${path}`)).toEqual(wanted);
      expectAsked(asked());
      for (const received of upstream.calls) {
        if ('keys' in shown) expect(signerOf(received)).toMatch(new RegExp(`^${shown.keys}(-\\d+)?$`));
        else expect(received.headers['authorization']).toMatch(new RegExp(`^Bearer ${shown.bearer}-\\d+$`));
      }
      // Servers of metadata answer nobody who seems to come through a proxy.
      for (const { headers } of inside.requests) expect(headers).not.toHaveProperty('via');
    });

    if ('keys' in shown) return;

    test('is asked for anew when its token is refused, and the call is made again once', async () => {
      await call(provider);
      const [held] = bearers();
      upstream.script = (received, response) => (received.headers['authorization'] === held ? json(401, {}) : answers)(received, response);
      expect(await statusOf(provider)).toBe('200');
      expect(bearers().map((bearer) => bearer === held)).toEqual([true, true, false]);
      expect(asked()).toHaveLength(wanted.length);
    });

    test('that the cloud refuses: the call ends, and its message tells no address', async () => {
      upstream.script = json(401, {});
      inside.script = (_request, response) => give(response, { error: 'identity_not_found' }, 400);
      outside.script = (_request, response) => give(response, { error: 'invalid_grant' }, 400);
      const error = await call(provider).catch((caught: Error) => caught);
      expect(error).toMatchObject({ status: 502, code: 'provider_auth_failed' });
      expect((error as Error).message).not.toContain(inside.hostPort);
      expect(upstream.calls).toHaveLength(1);
    });
  });
});

test('serves the probe of a platform provider too, before it is saved and after', async () => {
  serve(inside);
  upstream.calls.length = 0;
  upstream.script = answers;
  lifeMs = 3_600_000;
  await start({ ...azure(), IDENTITY_ENDPOINT: `${inside.url}/msi/token`, IDENTITY_HEADER: 'identity-header' });
  try {
    const send = clientOf(weir, weir.operatorKey);
    const address = { type: 'azure-openai', name: 'probed', base_url: `http://${upstream.hostPort}/openai/v1`, models: ['test-model'] };
    const made = await send('POST', '/v1/platform/credentials', { ...address, from_existing: true, no_verify: false });
    expect([made.status, made.body.error]).toEqual([200, undefined]);
    const { body } = await send('POST', `/v1/platform/credentials/${made.body.id}/probe`);
    expect(body).toMatchObject({ ok: true, chat: true });
    for (const bearer of bearers()) expect(bearer).toMatch(/^Bearer msi-\d+$/);
  } finally {
    await weir.stop();
  }
});

test('what an agent gives out is renewed before it expires, with what the files have then', async () => {
  serve(inside);
  upstream.calls.length = 0;
  upstream.script = answers;
  lifeMs = 100;
  const token = file('agent', 'first');
  await start({
    ...bedrock(),
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${inside.url}/agent/keys`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: token,
  });
  try {
    await call('bedrock');
    file('agent', 'second');
    await eventually(async () => {
      await call('bedrock');
      return inside.requests.length > 1;
    });
    expect(inside.requests.slice(0, 2).map(({ headers }) => headers['authorization'])).toEqual(['first', 'second']);
    expect(signerOf(upstream.calls[0]!)).not.toBe(signerOf(upstream.calls.at(-1)!));
    rmSync(token);
    lifeMs = 3_600_000;
    await eventually(async () => (await statusOf('bedrock')) === '502 provider_token_unavailable');
  } finally {
    await weir.stop();
  }
});

describe('a tenant', () => {
  let spy: ConnectSpy;
  beforeAll(async () => {
    serve(inside);
    await start({
      ...bedrock(),
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${inside.url}/agent/keys`,
      WEIR_INSTANCE_IDENTITY: 'azure',
      ...azure(),
    });
    spy = new ConnectSpy();
  });
  beforeEach(() => {
    serve(inside);
    upstream.calls.length = 0;
    upstream.script = answers;
  });
  afterAll(async () => {
    spy.stop();
    await weir.stop();
  });

  const PROVIDERS = '/v1/organization/providers';

  test.each([
    ['as a credential', { credential: { type: 'identity', kind: 'aws_container' } }, 'credential.type', /must be one of "headers"/],
    ['as a key', { key: '{"type":"identity","kind":"aws_container"}' }, 'key', /goes into "credential"/],
    ['as one of several keys', { keys: ['{"type":"identity","kind":"aws_container"}'] }, 'keys.0', /goes into "credential"/],
  ])('cannot save an identity %s', async (_how, secret, param, message) => {
    const send = clientOf(weir, tenant.adminKey);
    const { status, body } = await send('POST', PROVIDERS, {
      type: 'bedrock',
      name: 'mine',
      base_url: `http://${upstream.hostPort}`,
      ...secret,
    });
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ param, message: expect.stringMatching(message) });
    expect((await tenant.admin<{ data: object[] }>('GET', PROVIDERS)).data).toEqual([]);
  });

  test('that was not granted a provider of the platform cannot call by it', async () => {
    const other = await createTenant(weir);
    await expect(
      other.openai.chat.completions.create({ model: 'bedrock/test-model', messages: [{ role: 'user', content: 'Hello' }] }),
    ).rejects.toMatchObject({ status: 404 });
    expect(inside.requests).toEqual([]);
  });

  test('reaches no endpoint of an identity by an address of its own, neither by saving it nor had one been saved', async () => {
    const addresses = [
      inside.url,
      'http://169.254.169.254',
      'http://169.254.170.2',
      'http://metadata.google.internal',
      'https://169.254.169.254',
    ];
    const send = clientOf(weir, tenant.adminKey);
    for (const base_url of addresses) {
      const { status, body } = await send('POST', PROVIDERS, { type: 'openai', name: 'inside', base_url, auth: 'none' });
      expect([base_url, status, body.error.param]).toEqual([base_url, 400, 'base_url']);
    }
    await tenant.admin('POST', PROVIDERS, { type: 'openai', name: 'mine', base_url: upstream.baseUrl, auth: 'none', models: ['m'] });
    for (const address of addresses) {
      await weir.db.query("UPDATE providers SET base_url = $1 WHERE name = 'mine'", [address]);
      await eventually(async () => {
        const error = await tenant.openai.chat.completions
          .create({ model: 'mine/m', messages: [{ role: 'user', content: 'Hello' }] })
          .catch(String);
        return String(error).includes('egress policy');
      });
    }
    expect(inside.requests).toEqual([]);
    expect(spy.attempts.filter((address) => address === inside.hostPort || address.startsWith('169.254.'))).toEqual([]);
    // The spy is not blind, and the entry point is there: the platform's provider is called through it.
    await call('bedrock');
    expect(spy.attempts).toContain(inside.hostPort);
  });
});
