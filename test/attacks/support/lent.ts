import { admin, eventually, type TestTenant, type TestWeir } from '../../support/weir.js';
import { PROVIDER_FORMATS, type ProviderFormat, type Rig } from './formats.js';

/** As an operator, by the admin REST. @param inside the tenant it acts in; absent: the platform. */
export const operator = <T = { id: string }>(
  weir: TestWeir,
  method: string,
  path: string,
  body?: object,
  inside?: TestTenant,
): Promise<T> => admin<T>(weir, weir.operatorKey, method, path, body, inside && { 'x-weir-tenant': inside.id });

/** Adds a provider of the platform's and grants it. */
export async function lend(weir: TestWeir, tenants: readonly TestTenant[], fields: object): Promise<string> {
  const { id } = await operator(weir, 'POST', '/v1/platform/credentials', fields);
  for (const tenant of tenants) await operator(weir, 'POST', `/v1/platform/credentials/${id}/grants`, { tenant: tenant.id });
  return id;
}

/** The name of the provider of a format that the platform lends. */
export const lentName = ({ dialect }: Pick<ProviderFormat, 'dialect'>): string => `lent-${dialect}`;
export const lentModelOf = (format: ProviderFormat): string => `${lentName(format)}/${format.model}`;

/** The rig's upstream once more, lent by the platform in each format. @param priced at $1 and $2 per million tokens. */
export async function lendFormats(
  { weir, tenant, upstream }: Pick<Rig, 'weir' | 'tenant' | 'upstream'>,
  priced: boolean,
  formats = PROVIDER_FORMATS,
  others: TestTenant[] = [],
): Promise<void> {
  for (const format of formats) {
    const { type, basePath, dialect } = format;
    const name = lentName(format);
    if (priced)
      for (const inside of [tenant, ...others])
        await operator(weir, 'POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2' }, inside);
    const credential = { type: 'headers', headers: { authorization: 'Bearer secret' } };
    const shown = type === 'cloudflare-workers-ai' ? { credential } : { key: 'secret' };
    const base_url = `http://${upstream.hostPort}${basePath}`;
    await lend(weir, [tenant, ...others], { name, type, dialect, base_url, models: ['*'], ...shown });
  }
  for (const { openai } of [tenant, ...others])
    for (const format of formats) await eventually(() => openai.models.retrieve(lentModelOf(format)).then(Boolean, () => false), 20_000);
}
