import { accessToken, tokenIn } from '../access-token.js';
import { SCOPE } from '../google.js';
import { externalAccount } from './external-account.js';
import { addressFrom, askInside, type Identity, isInstanceOf, METADATA, type Variable } from './identity.js';

/** What a file is there for goes before the machine's own identity. Null: there is neither. @throws ConfigError */
export function googleIdentity(variable: Variable): Identity | null {
  const file = variable('GOOGLE_APPLICATION_CREDENTIALS');
  return file === undefined ? instance(variable) : externalAccount(file);
}

/** The service account of the machine, or of the pod on it, by the metadata server. */
function instance(variable: Variable): Identity | null {
  const told = variable('GCE_METADATA_HOST');
  if (!told && !isInstanceOf('google', variable)) return null;
  const endpoint = told === undefined ? METADATA : addressFrom('GCE_METADATA_HOST', told.includes('://') ? told : `http://${told}`);
  const url = new URL('/computeMetadata/v1/instance/service-accounts/default/token', endpoint);
  url.searchParams.set('scopes', SCOPE);
  const request = { method: 'GET' as const, url: url.href, headers: ['metadata-flavor', 'Google'] };
  return { kind: 'google_instance', endpoint, open: (ways) => accessToken(async () => tokenIn(await askInside(ways, request))) };
}
