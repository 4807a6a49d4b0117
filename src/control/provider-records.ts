import { Inject, Injectable } from '@nestjs/common';
import { ConnectionsRepository } from '../connections/index.js';
import { CredentialsRepository, ProviderHeadersRepository } from '../credentials/index.js';
import { type Id, newId } from '../kernel/ids.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { Secret } from '../platform/crypto/index.js';
import { DestinationGuard } from '../platform/egress/index.js';
import type { PrismaExecutor } from '../platform/postgres/index.js';
import { addressIn, type ProviderRecord, ProvidersRepository } from '../providers/index.js';
import type { Discovered } from './discovery.js';
import { found, idOf } from './found.js';
import { type ListQuery, type Page, pageOf } from './list.js';
import {
  baseUrlOf,
  checkEndpoint,
  checkGatewayOptions,
  deploymentIn,
  endpointOf,
  knownType,
  refuseKey,
  refuseMock,
  refuseSubscription,
} from './provider-address.js';
import { secretsOf } from './provider-credential.js';
import { ProviderProbe } from './provider-probe.js';
import type { CreateProvider, ProviderView, UpdateProvider } from './schemas/provider.js';
import type { AddProviderKey } from './schemas/provider-key.js';
import type { Capabilities } from './schemas/provider-probe.js';
import { Transactions } from './transactions.repository.js';

/** Whose providers: a tenant's, or the platform's own. */
type Owner = ProviderRecord['tenantId'];

/** What admins do with providers: tenants with theirs, operators with the platform's. What is another owner's is not found. */
@Injectable()
export class ProviderRecords {
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

  /**
   * @param discovered instead of a key or credential in the body.
   * @throws WeirError invalid_request, conflict, probe_failed, credential_unavailable
   */
  async create(owner: Owner, body: CreateProvider, discovered: Discovered | null = null): Promise<ProviderView> {
    const told = discovered ? discovered.baseUrl : body.credential ? addressIn(body.credential) : null;
    const { name, type, baseUrl, isOwn } = endpointOf(body.type, body.base_url, told, this.guard);
    if (owner === null) refuseSubscription(type);
    refuseMock(type, this.config.mock);
    checkGatewayOptions(type, body.gateway_options);
    const draft = {
      tenantId: owner,
      name: body.name ?? name,
      type: type.slug,
      baseUrl,
      dialect: body.dialect ?? null,
      nativeTools: body.native_tools ?? null,
      onClientGone: body.on_client_gone ?? null,
      quirks: body.quirks ?? {},
      gatewayOptions: body.gateway_options,
      models: body.models ?? ['*'],
      auth: body.auth ?? null,
      defaultModel: body.default_model === undefined ? (discovered?.defaultModel ?? deploymentIn(type, body.base_url)) : body.default_model,
      byOperator: owner === null,
    };
    const secrets = discovered ? [new Secret(discovered.secret)] : secretsOf(body, type, baseUrl, this.guard);
    if (secrets.length > 0) refuseKey(type);
    const key = secrets[0] ?? null;
    const headers = body.headers ?? {};
    checkEndpoint(draft, type, key !== null, Object.keys(headers));
    const capabilities =
      isOwn && !type.subscription && !body.no_verify ? await this.probe.pass({ ...unsaved(), ...draft }, { key, headers }) : null;
    return this.transactions.run(async (db) => {
      const provider = await this.providers.insert(draft, db);
      if (secrets.length > 0) await this.credentials.put(provider, secrets, db);
      await this.headers.put(provider, headers, db);
      if (capabilities) await this.providers.noteCapabilities(provider.id, capabilities, db);
      return this.view({ ...provider, capabilities }, db);
    });
  }

  async list(owner: Owner, query: ListQuery): Promise<Page<ProviderView>> {
    const { items, hasMore } = pageOf(await this.providers.list(owner), 'provider', query);
    return { items: await this.views(items), hasMore };
  }

  /** @throws WeirError not_found */
  async find(owner: Owner, id: string): Promise<ProviderRecord> {
    return found('provider', await this.providers.find(owner, idOf('provider', id)));
  }

  /** @throws WeirError not_found */
  async get(owner: Owner, id: string): Promise<ProviderView> {
    return this.view(await this.find(owner, id));
  }

  /** @throws WeirError not_found, invalid_request, probe_failed, credential_unavailable */
  async update(owner: Owner, id: string, body: UpdateProvider): Promise<ProviderView> {
    const saved = await this.find(owner, id);
    const { type, baseUrl: own } = knownType(saved.type);
    checkGatewayOptions(type, body.gateway_options);
    const baseUrl = body.base_url && baseUrlOf(type, own, body.base_url, this.guard);
    const changes = {
      baseUrl,
      dialect: body.dialect,
      nativeTools: body.native_tools,
      onClientGone: body.on_client_gone,
      quirks: body.quirks,
      gatewayOptions: body.gateway_options,
      models: body.models,
      auth: body.auth,
      defaultModel: body.default_model === undefined ? (deploymentIn(type, body.base_url) ?? undefined) : body.default_model,
      byOperator: owner === null && touchesAccess(body) ? true : undefined,
    };
    const secrets = secretsOf(body, type, baseUrl ?? saved.baseUrl, this.guard);
    if (secrets.length > 0) refuseKey(type);
    const shown = { key: secrets[0] ?? (body.key === null ? null : undefined), headers: body.headers };
    const capabilities = baseUrl && !type.subscription && !body.no_verify ? await this.probe.pass(changed(saved, changes), shown) : null;
    return this.transactions.run(async (db) => {
      const before = await this.lock(owner, saved.id, db);
      const after = await this.providers.update(before.id, changes, db);
      const moved = new URL(after.baseUrl).origin !== new URL(before.baseUrl).origin;
      if (secrets.length > 0) await this.credentials.put(after, secrets, db);
      else if (body.key === null || after.auth === 'none') await this.credentials.drop(after.id, db);
      else if (moved) await this.credentials.dropForOrigin(after.id, db);
      if (body.headers) await this.headers.put(after, body.headers, db);
      else if (body.headers === null || moved) await this.headers.drop(after.id, db);
      if (moved && owner !== null) await this.connections.drop(owner, after.id, db);
      checkEndpoint(after, type, secrets.length > 0, (await this.headers.names([after.id], db)).get(after.id) ?? []);
      await this.providers.noteCapabilities(after.id, capabilities, db);
      return this.view(found('provider', await this.providers.find(owner, after.id, db)), db);
    });
  }

  /** Asks it the questions of a probe, and notes what was found. @throws WeirError not_found */
  async ask(owner: Owner, id: string): Promise<Capabilities> {
    const provider = await this.find(owner, id);
    const capabilities = await this.probe.run(provider);
    await this.providers.noteCapabilities(provider.id, capabilities);
    return capabilities;
  }

  /** Destroys its keys, its headers and its connection with it; its grants end. @throws WeirError not_found */
  delete(owner: Owner, id: string): Promise<Id> {
    return this.transactions.run(async (db) => {
      const provider = await this.lock(owner, idOf('provider', id), db);
      await this.credentials.drop(provider.id, db);
      await this.headers.drop(provider.id, db);
      if (owner !== null) await this.connections.drop(owner, provider.id, db);
      await this.providers.delete(provider.id, db);
      return provider.id;
    });
  }

  /** @throws WeirError not_found, invalid_request, credential_unavailable */
  addKey(owner: Owner, id: string, { key }: AddProviderKey): Promise<ProviderView> {
    return this.transactions.run(async (db) => {
      const provider = await this.lock(owner, idOf('provider', id), db);
      refuseKey(knownType(provider.type).type);
      await this.credentials.add(provider, new Secret(key), db);
      await this.takeOver(provider, db);
      return this.view(found('provider', await this.providers.find(owner, provider.id, db)), db);
    });
  }

  /** @throws WeirError not_found */
  removeKey(owner: Owner, id: string, keyId: string): Promise<Id> {
    return this.transactions.run(async (db) => {
      const provider = await this.lock(owner, idOf('provider', id), db);
      const credentialId = idOf('credential', keyId);
      found('credential', (await this.credentials.remove(provider.id, credentialId, db)) || null);
      await this.takeOver(provider, db);
      return credentialId;
    });
  }

  /** What an operator does to a platform record's keys, no later start undoes. */
  private async takeOver({ id, tenantId, byOperator }: ProviderRecord, db: PrismaExecutor): Promise<void> {
    if (tenantId === null && !byOperator) await this.providers.update(id, { byOperator: true }, db);
  }

  private async lock(owner: Owner, id: Id, db: PrismaExecutor): Promise<ProviderRecord> {
    return found('provider', await this.providers.lock(owner, id, db));
  }

  private async view(provider: ProviderRecord, db?: PrismaExecutor): Promise<ProviderView> {
    return (await this.views([provider], db))[0]!;
  }

  private async views(providers: ProviderRecord[], db?: PrismaExecutor): Promise<ProviderView[]> {
    const ids = providers.map(({ id }) => id);
    const [keys, headers] = [await this.credentials.summaries(ids, db), await this.headers.names(ids, db)];
    return providers.map((provider) => ({
      provider,
      keys: keys.get(provider.id) ?? [],
      headerNames: headers.get(provider.id) ?? [],
    }));
  }
}

/** What a start would otherwise set by the environment, or seals for an address that it may change. */
const touchesAccess = ({ key, keys, credential, base_url, auth, headers }: UpdateProvider): boolean =>
  [key, keys, credential, base_url, auth, headers].some((given) => given !== undefined);

const unsaved = () => ({ id: newId(), createdAt: new Date(), awaitsKey: false, capabilities: null });

/** A record as it will be. */
const changed = (record: ProviderRecord, changes: Partial<ProviderRecord>): ProviderRecord => ({
  ...record,
  ...(Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Partial<ProviderRecord>),
});
