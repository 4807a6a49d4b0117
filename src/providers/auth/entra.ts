import { z } from 'zod';
import type { Transport } from '../../platform/egress/index.js';
import { accessToken, tokenByForm } from './access-token.js';
import type { Auth } from './auth.js';
import { tokenUrl, visible, word } from './fields.js';

const AUTHORITY = 'https://login.microsoftonline.com';
/** What tokens for Azure OpenAI are asked for. */
export const RESOURCE = 'https://cognitiveservices.azure.com';
export const SCOPE = `${RESOURCE}/.default`;

/** An application of Microsoft Entra that signs in with its own secret. */
export const EntraCredential = z.strictObject({
  type: z.literal('entra'),
  tenant_id: word,
  client_id: word,
  client_secret: visible(512),
  scope: visible(512).optional().describe(`Absent: "${SCOPE}".`),
  authority: tokenUrl.optional().describe(`The login host. Absent: "${AUTHORITY}"; national clouds have their own.`),
});
type EntraCredential = z.output<typeof EntraCredential>;

export function entraAuth(credential: EntraCredential, transport: Transport): Auth {
  const { tenant_id: tenant, client_id, client_secret, scope = SCOPE, authority } = credential;
  const form = { grant_type: 'client_credentials', client_id, client_secret, scope };
  return accessToken(() => tokenByForm(transport, entraAddress(tenant, authority), form));
}

/** Where a directory gives tokens out. */
export const entraAddress = (tenant: string, authority = AUTHORITY): string =>
  `${authority.replace(/\/+$/, '')}/${tenant}/oauth2/v2.0/token`;
