import { z } from 'zod';
import { AiGatewayCredential } from './ai-gateway.js';
import { AwsCredential, awsHost } from './aws.js';
import { EntraCredential } from './entra.js';
import { visible } from './fields.js';
import { AuthorizedUserCredential, ServiceAccountCredential, vertexAddress } from './google.js';
import { HeadersCredential } from './headers.js';
import { IdentityCredential } from './identities/identity.js';

/** A token that was made elsewhere, shown as a bearer where a plain key would go by another header. */
const TokenCredential = z.strictObject({ type: z.literal('token'), token: visible(16_384) });

/** The forms that a credential of several fields may have. `type` says which. */
export const CREDENTIAL_TYPES = ['headers', 'token', 'aws', 'service_account', 'authorized_user', 'entra', 'ai_gateway'] as const;
export type CredentialType = (typeof CREDENTIAL_TYPES)[number];

/** A credential of several fields. It is sealed as JSON text, instead of a key. */
export const StructuredCredential = z.discriminatedUnion(
  'type',
  [
    HeadersCredential,
    TokenCredential,
    AwsCredential,
    ServiceAccountCredential,
    AuthorizedUserCredential,
    EntraCredential,
    AiGatewayCredential,
  ],
  {
    error: (issue) =>
      issue.code === 'invalid_union' ? `must be one of ${CREDENTIAL_TYPES.map((type) => `"${type}"`).join(', ')}` : undefined,
  },
);
export type StructuredCredential = z.output<typeof StructuredCredential>;

/** What may be sealed: what a request may say, and what only the environment may. */
const SealedCredential = z.discriminatedUnion('type', [StructuredCredential, IdentityCredential]);
export type SealedCredential = z.output<typeof SealedCredential>;

/**
 * Null: the text is a plain key. No key begins with a brace: that is refused where keys are taken.
 * @throws when it is neither; then nobody may be shown it.
 */
export const structuredIn = (text: string): SealedCredential | null =>
  text.startsWith('{') ? SealedCredential.parse(JSON.parse(text)) : null;

/** Where a provider is reached, as far as its credential tells: its region, its project. Null: it does not. */
export function addressIn(credential: StructuredCredential): string | null {
  switch (credential.type) {
    case 'aws':
      return credential.region === undefined ? null : `https://${awsHost('bedrock-runtime', credential.region)}`;
    case 'service_account':
      return vertexAddress(credential.project_id, credential.location);
    case 'authorized_user':
      return credential.quota_project_id === undefined ? null : vertexAddress(credential.quota_project_id, credential.location);
    case 'entra':
    case 'headers':
    case 'token':
    case 'ai_gateway':
      return null;
  }
}

/** The field of a credential that says where tokens are asked for, with its address. Null: the vendor's own. */
export function tokenAddressIn(credential: StructuredCredential): { field: string; url: string } | null {
  const fields = { sts_url: undefined, token_uri: undefined, authority: undefined, ...credential };
  for (const field of ['sts_url', 'token_uri', 'authority'] as const) {
    const url = fields[field];
    if (url !== undefined) return { field, url };
  }
  return null;
}
