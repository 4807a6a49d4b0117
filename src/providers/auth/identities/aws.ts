import { z } from 'zod';
import { fieldsIn } from '../access-token.js';
import { assumeRoleWithWebIdentity } from '../assume-role.js';
import { AwsCredential, type KeySource, sessionAs, signing, stsAddress } from '../aws.js';
import { hostLabel, visible } from '../fields.js';
import type { AwsKeys } from '../sigv4.js';
import { type Fresh, freshMsUntil, TokenCache } from '../token-cache.js';
import { unreadableToken } from '../token-request.js';
import { addressFrom, askInside, checked, type Identity, isInstanceOf, METADATA, textOf, type Variable, type Ways } from './identity.js';

/** Of the agent beside a container of ECS. */
const CONTAINER_AGENT = 'http://169.254.170.2';
const INSTANCE_TOKEN_SECONDS = '300';

/** An identity of AWS before it has taken on a role. */
interface Found extends Pick<Identity, 'kind' | 'endpoint'> {
  keys(ways: Ways): Promise<Fresh<AwsKeys>>;
}

/** The first there is, in the order of AWS's own programs. Null: none. @throws ConfigError */
export function awsIdentity(variable: Variable): Identity | null {
  const found = webIdentity(variable) ?? container(variable) ?? instance(variable);
  if (!found) return null;
  const { kind, endpoint, keys } = found;
  const region = awsRegion(variable);
  const roleArn = roleToAssume(variable);
  const role = roleArn === null ? null : { roleArn, externalId: null, url: stsFrom(variable), region };
  return {
    kind,
    endpoint,
    open(ways) {
      const held = new TokenCache(() => keys(ways));
      const own: KeySource = () => held.get();
      return signing(role ? sessionAs(role, own, ways.outside) : own, region);
    },
  };
}

/** @throws ConfigError */
export const awsRegion = (variable: Variable): string =>
  checked('AWS_REGION', variable('AWS_REGION') ?? variable('AWS_DEFAULT_REGION') ?? 'us-east-1', hostLabel);

/** A role that whoever the environment names is to take on for Bedrock. Null: none. @throws ConfigError */
export function roleToAssume(variable: Variable): string | null {
  const arn = variable('WEIR_AWS_ROLE_ARN');
  return arn === undefined ? null : checked('WEIR_AWS_ROLE_ARN', arn, ROLE_ARN);
}

const ROLE_ARN = AwsCredential.shape.role_arn.unwrap();

/** @throws ConfigError */
export function stsFrom(variable: Variable): string {
  const told = variable('AWS_ENDPOINT_URL_STS');
  return told === undefined ? stsAddress(awsRegion(variable)) : addressFrom('AWS_ENDPOINT_URL_STS', told);
}

/** A token in a file, signed by the cluster; roles of accounts trust who signed it. */
function webIdentity(variable: Variable): Found | null {
  const file = variable('AWS_WEB_IDENTITY_TOKEN_FILE');
  const arn = variable('AWS_ROLE_ARN');
  if (!file || !arn) return null;
  const roleArn = checked('AWS_ROLE_ARN', arn, ROLE_ARN);
  const role = { roleArn, sessionName: variable('AWS_ROLE_SESSION_NAME') ?? 'weir', url: stsFrom(variable) };
  return {
    kind: 'aws_web_identity',
    endpoint: null,
    keys: async ({ outside }) => assumeRoleWithWebIdentity(role, await textOf(file), outside),
  };
}

/** An agent beside the container: of ECS by a path, of EKS and others by a whole address. */
function container(variable: Variable): Found | null {
  const endpoint = containerEndpoint(variable);
  if (endpoint === null) return null;
  return {
    kind: 'aws_container',
    endpoint,
    async keys(ways) {
      const file = variable('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE');
      const token = file ? await textOf(file) : variable('AWS_CONTAINER_AUTHORIZATION_TOKEN');
      return keysIn(await askInside(ways, { method: 'GET', url: endpoint, headers: token ? ['authorization', token] : [] }));
    },
  };
}

function containerEndpoint(variable: Variable): string | null {
  const path = variable('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI');
  if (path) return CONTAINER_AGENT + checked('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI', path, FROM_ROOT);
  const whole = variable('AWS_CONTAINER_CREDENTIALS_FULL_URI');
  return whole === undefined ? null : addressFrom('AWS_CONTAINER_CREDENTIALS_FULL_URI', whole);
}

const FROM_ROOT = z.string().startsWith('/', { error: 'must begin with "/"' });

/** The role of the machine, by its metadata service: version 2 only, which asks for a token of its own. */
function instance(variable: Variable): Found | null {
  const told = variable('AWS_EC2_METADATA_SERVICE_ENDPOINT');
  if (variable('AWS_EC2_METADATA_DISABLED')?.toLowerCase() === 'true' || (!told && !isInstanceOf('aws', variable))) return null;
  const endpoint = told === undefined ? METADATA : addressFrom('AWS_EC2_METADATA_SERVICE_ENDPOINT', told);
  const at = (path: string) => new URL(`/latest/${path}`, endpoint).href;
  return {
    kind: 'aws_instance',
    endpoint,
    async keys(ways) {
      const lifetime = ['x-aws-ec2-metadata-token-ttl-seconds', INSTANCE_TOKEN_SECONDS];
      const token = await askInside(ways, { method: 'PUT', url: at('api/token'), headers: lifetime });
      const read = (path: string) =>
        askInside(ways, {
          method: 'GET',
          url: at(`meta-data/iam/security-credentials/${path}`),
          headers: ['x-aws-ec2-metadata-token', token],
        });
      const role = (await read('')).trim();
      if (!/^[\w+=,.@-]+$/.test(role)) throw unreadableToken();
      return keysIn(await read(role));
    },
  };
}

const Keys = z.object({
  AccessKeyId: visible(128),
  SecretAccessKey: visible(256),
  Token: visible(8_192),
  Expiration: z.string().optional(),
});

/** What agents and the metadata service answer. @throws WeirError provider_token_unavailable */
function keysIn(text: string): Fresh<AwsKeys> {
  const parsed = Keys.safeParse(fieldsIn(text));
  if (!parsed.success) throw unreadableToken();
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken, Expiration } = parsed.data;
  return { value: { accessKeyId, secretAccessKey, sessionToken }, freshMs: freshMsUntil(Date.parse(Expiration ?? '')) };
}
