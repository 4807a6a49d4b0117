import { z } from 'zod';
import type { EgressRequest, Transport } from '../../platform/egress/index.js';
import { assumeRole, type Role } from './assume-role.js';
import type { Auth } from './auth.js';
import { hostLabel, tokenUrl, visible } from './fields.js';
import { type AwsKeys, signAws } from './sigv4.js';
import { TokenCache } from './token-cache.js';

/** Keys that sign. With a role, they only sign the request for the role's session, and its keys sign the calls. */
export const AwsCredential = z.strictObject({
  type: z.literal('aws'),
  access_key_id: visible(128),
  secret_access_key: visible(256),
  session_token: visible(8_192).optional().describe('Of temporary keys.'),
  region: hostLabel.optional().describe('Absent: as the host of base_url says.'),
  role_arn: z
    .string()
    .max(2_048)
    .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/, {
      error: 'must be the ARN of a role, such as "arn:aws:iam::123456789012:role/name"',
    })
    .optional()
    .describe('A role to assume: calls are signed with the keys of its session.'),
  external_id: visible(1_224).optional().describe('What the role asks for, if it does.'),
  sts_url: tokenUrl.optional().describe("Where the role is assumed. Absent: the region's own address."),
});
export type AwsCredential = z.output<typeof AwsCredential>;

/** The host of a service; China has a domain of its own. */
export const awsHost = (service: string, region: string): string =>
  `${service}.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;

/** What a host of AWS says of its region; null: nothing. */
export const regionOf = (host: string): string | null => /(?:^|\.)([a-z]{2}(?:-[a-z]+)+-\d)\./.exec(host)?.[1] ?? null;

/** @param region the one the keys are used in. */
export function awsAuth(credential: AwsCredential, region: string, transport: Transport): Auth {
  const keys: AwsKeys = {
    accessKeyId: credential.access_key_id,
    secretAccessKey: credential.secret_access_key,
    sessionToken: credential.session_token ?? null,
  };
  const { role_arn: roleArn, external_id: externalId = null, sts_url } = credential;
  if (roleArn === undefined) return signing(() => keys, region);
  const role = { roleArn, externalId, url: sts_url ?? stsAddress(region), region };
  return signing(
    sessionAs(role, () => keys, transport),
    region,
  );
}

/** What calls are signed with: at once where it is held, else a promise. */
export type KeySource = () => AwsKeys | Promise<AwsKeys>;

/** Signs each request with the keys there are then. */
export const signing = (keys: KeySource, region: string): Auth => ({
  headersFor(request) {
    const now = keys();
    return now instanceof Promise ? now.then((held) => signed(request, held, region)) : signed(request, now, region);
  },
});

/** The keys of sessions as a role, one after the other. @param keys sign the requests for them. */
export function sessionAs(role: Role, keys: KeySource, transport: Transport): KeySource {
  const session = new TokenCache(async () => assumeRole(role, await keys(), transport));
  return () => session.get();
}

/** Of a region's own security token service. */
export const stsAddress = (region: string): string => `https://${awsHost('sts', region)}/`;

/** Bedrock's hosts differ, its signatures are all for `bedrock`. */
function signed({ origin, path, headers, body }: EgressRequest, keys: AwsKeys, region: string): string[] {
  const contentType = headers[headers.indexOf('content-type') + 1]!;
  const signable = { method: 'POST', path, headers: ['host', new URL(origin).host, 'content-type', contentType], body };
  return signAws(signable, keys, { region, service: 'bedrock' }, new Date());
}
