import type { Transport } from '../../platform/egress/index.js';
import { type AwsKeys, signAws } from './sigv4.js';
import { type Fresh, freshMs } from './token-cache.js';
import { FORM, requestToken, unreadableToken } from './token-request.js';

const SESSION_SECONDS = 3_600;

export interface Role {
  roleArn: string;
  externalId: string | null;
  /** Of the security token service. */
  url: string;
  region: string;
}

/** The keys of a session as this role. @throws as {@link requestToken} */
export async function assumeRole({ roleArn, externalId, url, region }: Role, keys: AwsKeys, transport: Transport): Promise<Fresh<AwsKeys>> {
  const { host, pathname } = new URL(url);
  const body = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: roleArn,
    RoleSessionName: 'weir',
    DurationSeconds: String(SESSION_SECONDS),
    ...(externalId !== null && { ExternalId: externalId }),
  }).toString();
  const request = { method: 'POST', path: pathname, headers: ['host', host, 'content-type', FORM], body };
  return sessionIn(await requestToken(transport, url, signAws(request, keys, { region, service: 'sts' }, new Date()), body));
}

/** A role that trusts whoever signs tokens for this workload. */
export interface WebIdentityRole {
  roleArn: string;
  sessionName: string;
  /** Of the security token service. */
  url: string;
}

/** The keys of a session as this role, for a token instead of a signature. @throws as {@link requestToken} */
export async function assumeRoleWithWebIdentity(role: WebIdentityRole, token: string, transport: Transport): Promise<Fresh<AwsKeys>> {
  const body = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role.roleArn,
    RoleSessionName: role.sessionName,
    DurationSeconds: String(SESSION_SECONDS),
    WebIdentityToken: token,
  }).toString();
  return sessionIn(await requestToken(transport, role.url, [], body));
}

function sessionIn(answer: string): Fresh<AwsKeys> {
  const value = {
    accessKeyId: textIn(answer, 'AccessKeyId'),
    secretAccessKey: textIn(answer, 'SecretAccessKey'),
    sessionToken: textIn(answer, 'SessionToken'),
  };
  return { value, freshMs: freshMs(SESSION_SECONDS) };
}

/** The answer is XML, and what is wanted of it stands in elements without children or entities. */
function textIn(xml: string, name: string): string {
  const text = new RegExp(`<${name}>([\\x21-\\x25\\x27-\\x3b\\x3d-\\x7e]+)</${name}>`).exec(xml)?.[1];
  if (text === undefined) throw unreadableToken();
  return text;
}
