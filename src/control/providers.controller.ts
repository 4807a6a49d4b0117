import { Body, Controller, Delete, Get, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { ConnectionsRepository } from '../connections/index.js';
import { CredentialsRepository, ProviderHeadersRepository } from '../credentials/index.js';
import { newId, publicId } from '../kernel/ids.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { Secret } from '../platform/crypto/index.js';
import { DestinationGuard } from '../platform/egress/index.js';
import type { PrismaExecutor } from '../platform/postgres/index.js';
import { addressIn, type ProviderRecord, ProvidersRepository } from '../providers/index.js';
import { Access } from './access.js';
import { TenantId } from './admin.js';
import { found, idOf } from './found.js';
import { ListQuery, listOf, pageOf, renderList } from './list.js';
import {
  baseUrlOf,
  checkEndpoint,
  checkGatewayOptions,
  deploymentIn,
  endpointOf,
  knownType,
  refuseKey,
  refuseMock,
} from './provider-address.js';
import { secretsOf } from './provider-credential.js';
import { ProviderProbe } from './provider-probe.js';
import { Answers } from './route.js';
import { deleted } from './schemas/common.js';
import { CreateProvider, ProviderObject, renderProvider, UpdateProvider } from './schemas/provider.js';
import { AddProviderKey } from './schemas/provider-key.js';
import { Capabilities } from './schemas/provider-probe.js';
import { Transactions } from './transactions.repository.js';

@Controller('v1/organization/providers')
@Access('tenant')
export class ProvidersController {
  constructor(
    private readonly providers: ProvidersRepository,
    private readonly credentials: CredentialsRepository,
    private readonly headers: ProviderHeadersRepository,
    private readonly connections: ConnectionsRepository,
    private readonly guard: DestinationGuard,
    private readonly probe: ProviderProbe,
    private readonly transactions: Transactions,
    @Inject(CONFIG) private readonly config: Pick<Config, 'mock'>,
  ) {}

  @Post()
  @Answers(ProviderObject, 'Add a provider. Its models are then called `name/model-id`.')
  async create(@TenantId() tenantId: string, @Body({ schema: CreateProvider }) body: CreateProvider) {
    const told = body.credential ? addressIn(body.credential) : null;
    const { name, type, baseUrl, isOwn } = endpointOf(body.type, body.base_url, told, this.guard);
    refuseMock(type, this.config.mock);
    checkGatewayOptions(type, body.gateway_options);
    const draft = {
      tenantId,
      name: body.name ?? name,
      type: type.slug,
      baseUrl,
      dialect: body.dialect ?? null,
      nativeTools: body.native_tools ?? null,
      quirks: body.quirks ?? {},
      gatewayOptions: body.gateway_options,
      models: body.models ?? ['*'],
      auth: body.auth ?? null,
      defaultModel: body.default_model === undefined ? deploymentIn(type, body.base_url) : body.default_model,
    };
    const secrets = secretsOf(body, type, baseUrl, this.guard);
    if (secrets.length > 0) refuseKey(type);
    const key = secrets[0] ?? null;
    const headers = body.headers ?? {};
    checkEndpoint(draft, type, key !== null, Object.keys(headers));
    const capabilities =
      isOwn && !type.seat && !body.no_verify ? await this.probe.pass(tenantId, { ...unsaved(), ...draft }, { key, headers }) : null;
    return this.transactions.run(async (db) => {
      const provider = await this.providers.insert(draft, db);
      if (secrets.length > 0) await this.credentials.put(provider, secrets, db);
      await this.headers.put(provider, headers, db);
      if (capabilities) await this.providers.noteCapabilities(provider.id, capabilities, db);
      return this.render({ ...provider, capabilities }, db);
    });
  }

  @Get()
  @Answers(listOf(ProviderObject), 'List the providers of the tenant.')
  async list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = pageOf(await this.providers.list(tenantId), 'provider', query);
    return renderList(await this.renderAll(items), hasMore);
  }

  @Get(':provider_id')
  @Answers(ProviderObject, 'Read a provider.')
  async get(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return this.render(found('provider', await this.providers.find(tenantId, idOf('provider', id))));
  }

  @Post(':provider_id')
  @Answers(
    ProviderObject,
    'Change a provider. Another origin drops its connection, and the stored keys unless a new one comes along: see awaits_key.',
  )
  async update(@TenantId() tenantId: string, @Param('provider_id') id: string, @Body({ schema: UpdateProvider }) body: UpdateProvider) {
    const saved = found('provider', await this.providers.find(tenantId, idOf('provider', id)));
    const { type, baseUrl: own } = knownType(saved.type);
    checkGatewayOptions(type, body.gateway_options);
    const baseUrl = body.base_url && baseUrlOf(type, own, body.base_url, this.guard);
    const changes = {
      baseUrl,
      dialect: body.dialect,
      nativeTools: body.native_tools,
      quirks: body.quirks,
      gatewayOptions: body.gateway_options,
      models: body.models,
      auth: body.auth,
      defaultModel: body.default_model === undefined ? (deploymentIn(type, body.base_url) ?? undefined) : body.default_model,
    };
    const secrets = secretsOf(body, type, baseUrl ?? saved.baseUrl, this.guard);
    if (secrets.length > 0) refuseKey(type);
    const shown = { key: secrets[0] ?? (body.key === null ? null : undefined), headers: body.headers };
    const capabilities = baseUrl && !type.seat && !body.no_verify ? await this.probe.pass(tenantId, changed(saved, changes), shown) : null;
    return this.transactions.run(async (db) => {
      const before = found('provider', await this.providers.lock(tenantId, saved.id, db));
      const after = await this.providers.update(before.id, changes, db);
      const moved = new URL(after.baseUrl).origin !== new URL(before.baseUrl).origin;
      if (secrets.length > 0) await this.credentials.put(after, secrets, db);
      else if (body.key === null || after.auth === 'none') await this.credentials.drop(after.id, db);
      else if (moved) await this.credentials.dropForOrigin(after.id, db);
      if (body.headers) await this.headers.put(after, body.headers, db);
      else if (body.headers === null || moved) await this.headers.drop(after.id, db);
      if (moved) await this.connections.drop(tenantId, after.id, db);
      checkEndpoint(after, type, secrets.length > 0, (await this.headers.names([after.id], db)).get(after.id) ?? []);
      await this.providers.noteCapabilities(after.id, capabilities, db);
      return this.render(found('provider', await this.providers.find(tenantId, after.id, db)), db);
    });
  }

  @Patch(':provider_id')
  @Answers(
    ProviderObject,
    'Change a provider. Another origin drops its connection, and the stored keys unless a new one comes along: see awaits_key.',
  )
  patch(@TenantId() tenantId: string, @Param('provider_id') id: string, @Body({ schema: UpdateProvider }) body: UpdateProvider) {
    return this.update(tenantId, id, body);
  }

  @Post(':provider_id/probe')
  @Answers(Capabilities, 'Ask a provider a few small questions to see what it can do. Costs some hundred tokens, which are not booked.')
  async ask(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    const provider = found('provider', await this.providers.find(tenantId, idOf('provider', id)));
    const capabilities = await this.probe.run(tenantId, provider);
    await this.providers.noteCapabilities(provider.id, capabilities);
    return capabilities;
  }

  @Delete(':provider_id')
  @Answers(deleted('provider'), 'Remove a provider and destroy its key and its connection.')
  delete(@TenantId() tenantId: string, @Param('provider_id') id: string) {
    return this.transactions.run(async (db) => {
      const provider = found('provider', await this.providers.lock(tenantId, idOf('provider', id), db));
      await this.credentials.drop(provider.id, db);
      await this.headers.drop(provider.id, db);
      await this.connections.drop(tenantId, provider.id, db);
      await this.providers.delete(provider.id, db);
      return { id: publicId('provider', provider.id), object: 'provider', deleted: true };
    });
  }

  @Post(':provider_id/keys')
  @Answers(ProviderObject, 'Add a key to those a provider has. They are used in turn.')
  addKey(@TenantId() tenantId: string, @Param('provider_id') id: string, @Body({ schema: AddProviderKey }) body: AddProviderKey) {
    return this.transactions.run(async (db) => {
      const provider = found('provider', await this.providers.lock(tenantId, idOf('provider', id), db));
      refuseKey(knownType(provider.type).type);
      await this.credentials.add(provider, new Secret(body.key), db);
      return this.render({ ...provider, awaitsKey: false }, db);
    });
  }

  @Delete(':provider_id/keys/:provider_key_id')
  @Answers(deleted('provider.key'), 'Destroy one key of a provider.')
  removeKey(@TenantId() tenantId: string, @Param('provider_id') id: string, @Param('provider_key_id') keyId: string) {
    return this.transactions.run(async (db) => {
      const provider = found('provider', await this.providers.lock(tenantId, idOf('provider', id), db));
      const credentialId = idOf('credential', keyId);
      found('credential', (await this.credentials.remove(provider.id, credentialId, db)) || null);
      return { id: publicId('credential', credentialId), object: 'provider.key', deleted: true };
    });
  }

  private async render(provider: ProviderRecord, db?: PrismaExecutor) {
    return (await this.renderAll([provider], db))[0]!;
  }

  private async renderAll(providers: ProviderRecord[], db?: PrismaExecutor) {
    const ids = providers.map(({ id }) => id);
    const [keys, headers] = [await this.credentials.summaries(ids, db), await this.headers.names(ids, db)];
    return providers.map((provider) => renderProvider(provider, keys.get(provider.id), headers.get(provider.id)));
  }
}

const unsaved = () => ({ id: newId(), createdAt: new Date(), awaitsKey: false, capabilities: null });

/** A record as it will be. */
const changed = (record: ProviderRecord, changes: Partial<ProviderRecord>): ProviderRecord => ({
  ...record,
  ...(Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Partial<ProviderRecord>),
});
