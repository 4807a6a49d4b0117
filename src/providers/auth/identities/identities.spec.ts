import { ConnectSpy } from '../../../../test/support/connect-spy.js';
import { openEgress } from '../../../../test/support/egress.js';
import { ConfigError } from '../../../platform/config/index.js';
import { Secret } from '../../../platform/crypto/index.js';
import { CredentialAuths } from '../credential-auths.js';
import { awsIdentity } from './aws.js';
import { azureIdentity } from './azure.js';
import { googleIdentity } from './google.js';
import { Identities } from './identities.js';
import type { Identity } from './identity.js';

type Variables = Record<string, string>;
const told = ({ kind, endpoint }: Identity) => [kind, endpoint];
const found = (find: (variable: (name: string) => string | undefined) => Identity | null, variables: Variables) => {
  const identity = find((name) => variables[name]);
  return identity && told(identity);
};

const WEB = { AWS_WEB_IDENTITY_TOKEN_FILE: '/token', AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/weir' };
const AGENT = { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials' };

test('without a word of the environment there is no identity, and no metadata service is asked on a guess', () => {
  for (const find of [awsIdentity, azureIdentity, googleIdentity]) {
    expect(found(find, {})).toBeNull();
    expect(found(find, { AWS_REGION: 'eu-west-1', AZURE_CLIENT_ID: 'c', AZURE_TENANT_ID: 't', GOOGLE_VERTEX_PROJECT: 'p' })).toBeNull();
  }
});

test('an identity of AWS is found in the order of its own programs', () => {
  const machine = { WEIR_INSTANCE_IDENTITY: 'aws' };
  expect(found(awsIdentity, { ...WEB, ...AGENT, ...machine })).toEqual(['aws_web_identity', null]);
  expect(found(awsIdentity, { ...AGENT, ...machine })).toEqual(['aws_container', 'http://169.254.170.23/v1/credentials']);
  expect(found(awsIdentity, { ...AGENT, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/1' })).toEqual([
    'aws_container',
    'http://169.254.170.2/v2/credentials/1',
  ]);
  expect(found(awsIdentity, machine)).toEqual(['aws_instance', 'http://169.254.169.254']);
  expect(found(awsIdentity, { AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://[fd00:ec2::254]' })).toEqual([
    'aws_instance',
    'http://[fd00:ec2::254]',
  ]);
  expect(found(awsIdentity, { ...machine, AWS_EC2_METADATA_DISABLED: 'true' })).toBeNull();
  expect(found(awsIdentity, { WEIR_INSTANCE_IDENTITY: 'azure' })).toBeNull();
});

test('an identity of Azure is found by what is there for this process before what is there for the machine', () => {
  const federated = { AZURE_FEDERATED_TOKEN_FILE: '/token', AZURE_TENANT_ID: 't', AZURE_CLIENT_ID: 'c' };
  const service = { IDENTITY_ENDPOINT: 'http://169.254.255.2:8081/msi/token', IDENTITY_HEADER: 'h' };
  const machine = { WEIR_INSTANCE_IDENTITY: 'azure' };
  expect(found(azureIdentity, { ...federated, ...service, ...machine })).toEqual(['azure_federated', null]);
  expect(found(azureIdentity, { ...service, ...machine })).toEqual(['azure_app_service', 'http://169.254.255.2:8081/msi/token']);
  expect(found(azureIdentity, machine)).toEqual(['azure_instance', 'http://169.254.169.254/metadata/identity/oauth2/token']);
});

test('an identity of Google is found by a file before the machine', () => {
  expect(found(googleIdentity, { GOOGLE_APPLICATION_CREDENTIALS: '/f', GCE_METADATA_HOST: 'h' })).toEqual([
    'google_external_account',
    null,
  ]);
  expect(found(googleIdentity, { GCE_METADATA_HOST: 'metadata.google.internal' })).toEqual([
    'google_instance',
    'http://metadata.google.internal',
  ]);
  expect(found(googleIdentity, { WEIR_INSTANCE_IDENTITY: 'google' })).toEqual(['google_instance', 'http://169.254.169.254']);
});

const identitiesIn = (variables: Variables) =>
  new Identities({ environment: () => ({ variable: (name) => variables[name], file: fail }) }, openEgress([]));
const fail = (): never => {
  throw new Error('no file is read here');
};

test.each<[string, Variables]>([
  ['AWS_ROLE_ARN must be the ARN of a role', { ...WEB, AWS_ROLE_ARN: 'weir' }],
  ['WEIR_AWS_ROLE_ARN must be the ARN of a role', { ...AGENT, WEIR_AWS_ROLE_ARN: 'weir' }],
  ['AWS_CONTAINER_CREDENTIALS_FULL_URI must be a URL', { AWS_CONTAINER_CREDENTIALS_FULL_URI: '169.254.170.23' }],
  ['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must begin with "/"', { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '@example.com/' }],
  ['AWS_ENDPOINT_URL_STS must be a URL', { ...WEB, AWS_ENDPOINT_URL_STS: 'sts' }],
  ['IDENTITY_ENDPOINT must be a URL', { IDENTITY_ENDPOINT: 'localhost', IDENTITY_HEADER: 'h' }],
  ['GCE_METADATA_HOST must be a URL', { GCE_METADATA_HOST: 'a b' }],
])('%s: a start ends with this', (message, variables) => {
  const open = () => identitiesIn(variables);
  expect(open).toThrow(ConfigError);
  expect(open).toThrow(message);
});

describe('a sealed identity', () => {
  const REQUEST = { origin: 'https://api.example.com', path: '/', headers: [], body: '' };
  const environment: Variables = { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:9/keys', AWS_REGION: 'eu-west-1' };
  const identities = identitiesIn(environment);
  const auths = new CredentialAuths(openEgress([]), identities);
  const credential = (tenantId: string | null, kind: string) => ({
    tenantId,
    secret: new Secret(JSON.stringify({ type: 'identity', kind })),
  });
  const show = async (one: ReturnType<typeof credential>) => auths.of(one, { kind: 'none' }, REQUEST.origin).headersFor(REQUEST);

  test('of a tenant is of no use, had one been saved all the same: nothing is asked', async () => {
    const spy = new ConnectSpy();
    await expect(show(credential('a-tenant', 'aws_container'))).rejects.toMatchObject({ code: 'credential_unavailable' });
    expect(spy.attempts).toEqual([]);
    await expect(show(credential(null, 'aws_container'))).rejects.toMatchObject({ code: 'provider_token_unavailable' });
    expect(spy.attempts).toEqual(['127.0.0.1:9']);
    spy.stop();
  });

  test('that this process’s environment does not tell of is of no use', async () => {
    for (const kind of ['aws_instance', 'google_instance', 'unheard-of'])
      await expect(show(credential(null, kind))).rejects.toMatchObject({ code: 'credential_unavailable' });
  });
});
