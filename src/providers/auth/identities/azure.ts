import { accessToken, tokenByForm, tokenIn } from '../access-token.js';
import { entraAddress, RESOURCE, SCOPE } from '../entra.js';
import { word } from '../fields.js';
import { addressFrom, askInside, checked, type Identity, isInstanceOf, METADATA, textOf, type Variable } from './identity.js';

/** The first there is, the most particular first. Null: none. @throws ConfigError */
export const azureIdentity = (variable: Variable): Identity | null => federated(variable) ?? appService(variable) ?? instance(variable);

/** A login host instead of the public cloud's. @throws ConfigError */
export function authorityFrom(variable: Variable): string | undefined {
  const told = variable('AZURE_AUTHORITY_HOST');
  return told === undefined ? undefined : addressFrom('AZURE_AUTHORITY_HOST', told);
}

/** A token in a file, signed by the cluster; an application of Entra, or a managed identity, trusts who signed it. */
function federated(variable: Variable): Identity | null {
  const [file, tenant, client] = ['AZURE_FEDERATED_TOKEN_FILE', 'AZURE_TENANT_ID', 'AZURE_CLIENT_ID'].map(variable);
  if (!file || !tenant || !client) return null;
  const url = entraAddress(checked('AZURE_TENANT_ID', tenant, word), authorityFrom(variable));
  const form = {
    grant_type: 'client_credentials',
    client_id: client,
    scope: SCOPE,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  };
  return {
    kind: 'azure_federated',
    endpoint: null,
    open: ({ outside }) => accessToken(async () => tokenByForm(outside, url, { ...form, client_assertion: await textOf(file) })),
  };
}

/** App Service, Functions, Container Apps: an endpoint beside the process, with a header that proves who asks. */
function appService(variable: Variable): Identity | null {
  const [told, header] = ['IDENTITY_ENDPOINT', 'IDENTITY_HEADER'].map(variable);
  if (!told || !header) return null;
  const endpoint = addressFrom('IDENTITY_ENDPOINT', told);
  return managed('azure_app_service', endpoint, '2019-08-01', ['x-identity-header', header], variable);
}

/** A virtual machine, by its metadata service. */
function instance(variable: Variable): Identity | null {
  const told = variable('AZURE_POD_IDENTITY_AUTHORITY_HOST');
  if (!told && !isInstanceOf('azure', variable)) return null;
  const host = told === undefined ? METADATA : addressFrom('AZURE_POD_IDENTITY_AUTHORITY_HOST', told);
  const endpoint = new URL('/metadata/identity/oauth2/token', host).href;
  return managed('azure_instance', endpoint, '2018-02-01', ['metadata', 'true'], variable);
}

/** A managed identity: the machine's own, or the one that AZURE_CLIENT_ID names. */
function managed(kind: Identity['kind'], endpoint: string, version: string, headers: string[], variable: Variable): Identity {
  const url = new URL(endpoint);
  url.searchParams.set('api-version', version);
  url.searchParams.set('resource', RESOURCE);
  const client = variable('AZURE_CLIENT_ID');
  if (client) url.searchParams.set('client_id', client);
  const request = { method: 'GET' as const, url: url.href, headers };
  return { kind, endpoint, open: (ways) => accessToken(async () => tokenIn(await askInside(ways, request))) };
}
