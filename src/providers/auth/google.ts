import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { Transport } from '../../platform/egress/index.js';
import { accessToken, tokenByForm } from './access-token.js';
import type { Auth } from './auth.js';
import { hostLabel, tokenUrl, visible, word } from './fields.js';
import { encodeJwt, jwtText } from './jwt.js';

export const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const TOKEN_URI = 'https://oauth2.googleapis.com/token';
const ASSERTION_SECONDS = 3_600;
/** Google makes keys of 2,048 bits. The time to sign grows with the cube of the size. */
const RSA_BITS = { least: 1_024, most: 4_096 };
/** A key of the largest size takes 3,272 characters in PEM. */
const MAX_PEM = 4_096;

/** On a thread of its own: signing never holds up other calls. */
const signAside = promisify(sign);

function rsaKey(pem: string): KeyObject | null {
  try {
    const key = createPrivateKey(pem);
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    return key.asymmetricKeyType === 'rsa' && bits >= RSA_BITS.least && bits <= RSA_BITS.most ? key : null;
  } catch {
    return null;
  }
}

const location = hostLabel.optional().describe('Where models are served, e.g. "europe-west4", or "eu". Absent: "global".');

/** The JSON file of a Google service account, as it was downloaded. What is not needed of it is left out. */
export const ServiceAccountCredential = z.object({
  type: z.literal('service_account'),
  project_id: word,
  client_email: visible(320),
  private_key: z
    .string()
    .max(MAX_PEM)
    .refine((pem) => rsaKey(pem) !== null, {
      error: `must be an RSA private key of ${RSA_BITS.least} to ${RSA_BITS.most} bits in PEM, as the file of the service account has it`,
    }),
  private_key_id: visible(256).optional(),
  token_uri: tokenUrl.optional(),
  location,
});
type ServiceAccountCredential = z.output<typeof ServiceAccountCredential>;

/** The file that `gcloud auth application-default login` writes. */
export const AuthorizedUserCredential = z.object({
  type: z.literal('authorized_user'),
  client_id: visible(512),
  client_secret: visible(512),
  refresh_token: visible(4_096),
  quota_project_id: word.optional().describe('Who is billed; also the project whose models are called.'),
  token_uri: tokenUrl.optional(),
  location,
});
type AuthorizedUserCredential = z.output<typeof AuthorizedUserCredential>;

/** What a service account signs to be given a token. @param nowMs wall clock */
export async function serviceAccountAssertion(credential: ServiceAccountCredential, key: KeyObject, nowMs: number): Promise<string> {
  const now = Math.floor(nowMs / 1_000);
  const { client_email: iss, private_key_id: kid, token_uri: aud = TOKEN_URI } = credential;
  const text = jwtText(
    { alg: 'RS256', typ: 'JWT', ...(kid !== undefined && { kid }) },
    { iss, scope: SCOPE, aud, iat: now, exp: now + ASSERTION_SECONDS },
  );
  return encodeJwt(text, await signAside('sha256', Buffer.from(text), key));
}

export function serviceAccountAuth(credential: ServiceAccountCredential, transport: Transport): Auth {
  const key = createPrivateKey(credential.private_key);
  const form = async () => ({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: await serviceAccountAssertion(credential, key, Date.now()),
  });
  return accessToken(async () => tokenByForm(transport, credential.token_uri ?? TOKEN_URI, await form()));
}

export function authorizedUserAuth(credential: AuthorizedUserCredential, transport: Transport): Auth {
  const { client_id, client_secret, refresh_token, quota_project_id: project } = credential;
  const form = { grant_type: 'refresh_token', client_id, client_secret, refresh_token };
  const further = project === undefined ? [] : ['x-goog-user-project', project];
  return accessToken(() => tokenByForm(transport, credential.token_uri ?? TOKEN_URI, form), further);
}

/** Several regions at once, whose hosts are named otherwise than a region's. */
const MULTI_REGIONS = ['us', 'eu'];

/** Where a project's models are called, whoever made them. */
export const vertexAddress = (project: string, location = 'global'): string =>
  `https://${vertexHost(location)}/v1/projects/${project}/locations/${location}`;

function vertexHost(location: string): string {
  if (location === 'global') return 'aiplatform.googleapis.com';
  return MULTI_REGIONS.includes(location) ? `aiplatform.${location}.rep.googleapis.com` : `${location}-aiplatform.googleapis.com`;
}
