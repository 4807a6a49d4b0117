import { z } from 'zod';
import type { Transport } from '../../../platform/egress/index.js';
import { accessToken, fieldsIn, tokenByForm, visibleToken } from '../access-token.js';
import { tokenUrl, visible } from '../fields.js';
import { SCOPE } from '../google.js';
import { type Fresh, freshMsUntil } from '../token-cache.js';
import { ask, unavailable } from '../token-request.js';
import { type Identity, textOf } from './identity.js';

const LIFETIME = '3600s';

/**
 * Google's file for workloads that another issuer vouches for, as `gcloud iam workload-identity-pools create-cred-config` writes it, where the
 * issuer's token is a file too.
 */
export const ExternalAccount = z.object({
  type: z.literal('external_account'),
  audience: visible(2_048),
  subject_token_type: visible(256),
  token_url: tokenUrl,
  service_account_impersonation_url: tokenUrl.optional(),
  credential_source: z.object({
    file: z.string().min(1),
    format: z
      .discriminatedUnion('type', [
        z.object({ type: z.literal('text') }),
        z.object({ type: z.literal('json'), subject_token_field_name: z.string().min(1) }),
      ])
      .default({ type: 'text' }),
  }),
});
type ExternalAccount = z.output<typeof ExternalAccount>;

/** @param path of the file. */
export const externalAccount = (path: string): Identity => ({
  kind: 'google_external_account',
  endpoint: null,
  open: ({ outside }) => accessToken(async () => exchange(await accountIn(path), outside)),
});

async function accountIn(path: string): Promise<ExternalAccount> {
  const parsed = ExternalAccount.safeParse(fieldsIn(await textOf(path)));
  if (!parsed.success) throw unavailable(`${path} is no file of an external account whose token is in a file`);
  return parsed.data;
}

/** The issuer's token for one of Google's, and that, where the file says so, for a service account's. */
async function exchange(account: ExternalAccount, outside: Transport): Promise<Fresh<string>> {
  const federated = await tokenByForm(outside, account.token_url, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    audience: account.audience,
    scope: SCOPE,
    subject_token_type: account.subject_token_type,
    subject_token: await subjectToken(account),
  });
  const url = account.service_account_impersonation_url;
  return url === undefined ? federated : impersonate(url, federated.value, outside);
}

async function subjectToken({ credential_source: { file, format } }: ExternalAccount): Promise<string> {
  const text = await textOf(file);
  return visibleToken(format.type === 'text' ? text : fieldsIn(text)[format.subject_token_field_name]);
}

async function impersonate(url: string, token: string, outside: Transport): Promise<Fresh<string>> {
  const headers = ['content-type', 'application/json', 'authorization', `Bearer ${token}`];
  const body = JSON.stringify({ scope: [SCOPE], lifetime: LIFETIME });
  const answer = fieldsIn(await ask(outside, { url, headers, body }, REFUSED));
  return { value: visibleToken(answer['accessToken']), freshMs: freshMsUntil(Date.parse(String(answer['expireTime']))) };
}

const REFUSED = "Google refused this installation's workload the service account it is to act as.";
