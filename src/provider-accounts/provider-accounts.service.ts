import { Inject, Injectable } from '@nestjs/common';
import { BreakersRepository } from '../breakers/index.js';
import { ConnectionsRepository } from '../connections/index.js';
import { type Credential, CredentialsRepository, ProviderHeadersRepository } from '../credentials/index.js';
import { found } from '../kernel/found.js';
import { type Id, newId } from '../kernel/ids.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { Secret } from '../platform/crypto/index.js';
import { DestinationGuard } from '../platform/egress/index.js';
import { type PrismaExecutor, Transactions } from '../platform/postgres/index.js';
import {
  addressIn,
  CATALOG,
  type Found,
  type ProviderRecord,
  ProvidersRepository,
  type ProviderType,
  platformCredential,
} from '../providers/index.js';
import { References } from '../routing/index.js';
import { AccountProbe } from './account-probe.js';
import type { Capabilities } from './capabilities.js';
import { discover } from './discovery.js';
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
} from './endpoint.js';
import type { AccountChanges, NewAccount, Owner, ProviderAccount } from './provider-account.js';
import { ownKey, secretsOf } from './secrets.js';

type RecordChanges = Parameters<ProvidersRepository['update']>[1];
type NewRecord = Parameters<ProvidersRepository['insert']>[0];

/** What a provider is to be shown. Null destroys what is stored, absent and empty keep it. */
interface Shown {
  secrets?: readonly Secret[] | null;
  headers?: Readonly<Record<string, string>> | null;
}

/** What is done with providers: by tenants with theirs, by operators and starts with the platform's. What is another owner's is not found. */
@Injectable()
export class ProviderAccountsService {
  constructor(
    private readonly providers: ProvidersRepository,
    private readonly credentials: CredentialsRepository,
    private readonly headers: ProviderHeadersRepository,
    private readonly connections: ConnectionsRepository,
    private readonly breakers: BreakersRepository,
    private readonly guard: DestinationGuard,
    private readonly references: References,
    private readonly probing: AccountProbe,
    private readonly transactions: Transactions,
    @Inject(CONFIG) private readonly config: Pick<Config, 'mock' | 'environment'>,
  ) {}

  /** @throws WeirError invalid_request, conflict, probe_failed, credential_unavailable */
  async create(owner: Owner, account: NewAccount): Promise<ProviderAccount> {
    const discovered = account.fromEnvironment ? discover(account.type, this.config.environment) : null;
    const told = discovered ? discovered.baseUrl : account.credential ? addressIn(account.credential) : null;
    const { name, type, baseUrl, isOwn } = endpointOf(account.type, account.baseUrl, told, this.guard);
    if (owner === null) refuseSubscription(type);
    refuseMock(type, this.config.mock);
    checkGatewayOptions(type, account.gatewayOptions);
    const defaultModel =
      account.defaultModel === undefined ? (discovered?.defaultModel ?? deploymentIn(type, account.baseUrl)) : account.defaultModel;
    const draft = {
      tenantId: owner,
      name: account.name ?? name,
      type: type.slug,
      baseUrl,
      dialect: account.dialect ?? null,
      nativeTools: account.nativeTools ?? null,
      onClientGone: account.onClientGone ?? null,
      quirks: account.quirks ?? {},
      gatewayOptions: account.gatewayOptions,
      models: account.models ?? ['*'],
      auth: account.auth ?? null,
      defaultModel,
      byOperator: owner === null,
    };
    const secrets = discovered ? [new Secret(discovered.secret)] : secretsOf(account, type, baseUrl, this.guard);
    if (secrets.length > 0) refuseKey(type);
    const key = secrets[0] ?? null;
    const headers = account.headers ?? {};
    checkEndpoint(draft, type, key !== null, Object.keys(headers));
    const probed = isOwn && !type.subscription && !account.noVerify;
    const capabilities = probed ? await this.probing.pass({ ...unsaved(), ...draft }, { key, headers }) : null;
    return this.transactions.run(async (db) => {
      const provider = await this.insert(draft, { secrets, headers }, db);
      if (capabilities) await this.providers.noteCapabilities(provider.id, capabilities, db);
      return this.described({ ...provider, capabilities }, db);
    });
  }

  /** The newest first. */
  list(owner: Owner): Promise<ProviderRecord[]> {
    return this.providers.list(owner);
  }

  /** What may be shown of these, in their order. */
  async describe(providers: readonly ProviderRecord[], db?: PrismaExecutor): Promise<ProviderAccount[]> {
    const ids = providers.map(({ id }) => id);
    const [keys, headers] = [await this.credentials.summaries(ids, db), await this.headers.names(ids, db)];
    const breakers = await this.breakers.ofProviders(ids);
    return providers.map((provider) => ({
      provider,
      keys: keys.get(provider.id) ?? [],
      breakers: breakers.get(provider.id) ?? [],
      headerNames: headers.get(provider.id) ?? [],
    }));
  }

  /** @throws WeirError not_found */
  async get(owner: Owner, id: Id): Promise<ProviderAccount> {
    return this.described(await this.find(owner, id));
  }

  /** Another origin drops the keys and headers that it is not given anew, and the connection. @throws as `create`, WeirError not_found */
  async update(owner: Owner, id: Id, account: AccountChanges): Promise<ProviderAccount> {
    const saved = await this.find(owner, id);
    const { type, baseUrl: own } = knownType(saved.type);
    checkGatewayOptions(type, account.gatewayOptions);
    const baseUrl = account.baseUrl && baseUrlOf(type, own, account.baseUrl, this.guard);
    const changes = {
      baseUrl,
      dialect: account.dialect,
      nativeTools: account.nativeTools,
      onClientGone: account.onClientGone,
      quirks: account.quirks,
      gatewayOptions: account.gatewayOptions,
      models: account.models,
      auth: account.auth,
      defaultModel: account.defaultModel === undefined ? (deploymentIn(type, account.baseUrl) ?? undefined) : account.defaultModel,
      byOperator: owner === null && touchesAccess(account) ? true : undefined,
    };
    const given = secretsOf(account, type, baseUrl ?? saved.baseUrl, this.guard);
    if (given.length > 0) refuseKey(type);
    const { headers } = account;
    const probed = baseUrl && !type.subscription && !account.noVerify;
    const shown = { key: given[0] ?? (account.keys === null ? null : undefined), headers };
    const capabilities = probed ? await this.probing.pass(changed(saved, changes), shown) : null;
    return this.transactions.run(async (db) => {
      const after = await this.change(owner, id, changes, { secrets: account.keys === null ? null : given, headers }, db);
      checkEndpoint(after, type, given.length > 0, (await this.headers.names([id], db)).get(id) ?? []);
      await this.providers.noteCapabilities(id, capabilities, db);
      return this.described(await this.find(owner, id, db), db);
    });
  }

  /** Asks it the questions of a probe, and notes what was found. @throws WeirError not_found */
  async probe(owner: Owner, id: Id): Promise<Capabilities> {
    const provider = await this.find(owner, id);
    const capabilities = await this.probing.run(provider);
    await this.providers.noteCapabilities(provider.id, capabilities);
    return capabilities;
  }

  /** Whether a model of a provider answers. Null: whoever is logged in to the provider is not asked for. */
  async probeModel(record: ProviderRecord, model: string): Promise<Capabilities | null> {
    if (knownType(record.type).type.subscription) return null;
    return this.probing.run({ ...record, defaultModel: model });
  }

  /** Destroys its keys, its headers and its connection with it; its grants end. @throws WeirError not_found, conflict when a route names it */
  async delete(owner: Owner, id: Id): Promise<void> {
    await this.references.refuseRouted(owner, (await this.find(owner, id)).name);
    return this.transactions.run(async (db) => {
      await this.lock(owner, id, db);
      await this.credentials.drop(id, db);
      await this.headers.drop(id, db);
      if (owner !== null) await this.connections.drop(owner, id, db);
      await this.providers.delete(id, db);
    });
  }

  /** Adds a plain key to those it has. @throws WeirError not_found, invalid_request, credential_unavailable */
  addKey(owner: Owner, id: Id, key: Secret): Promise<ProviderAccount> {
    return this.transactions.run(async (db) => {
      const provider = await this.lock(owner, id, db);
      refuseKey(knownType(provider.type).type);
      await this.credentials.add(provider, ownKey(key, provider.baseUrl), db);
      await this.takeOver(provider, db);
      return this.described(await this.find(owner, id, db), db);
    });
  }

  /** Answers the routes of the owner that still name it: their targets with it are skipped. @throws WeirError not_found */
  async removeKey(owner: Owner, id: Id, keyId: Id): Promise<Id[]> {
    await this.transactions.run(async (db) => {
      const provider = await this.lock(owner, id, db);
      found('credential', (await this.credentials.remove(id, keyId, db)) || null);
      await this.takeOver(provider, db);
    });
    return (await this.references.routesWith(owner, ({ credential }) => credential === keyId)).map((route) => route.id);
  }

  /**
   * Saves the credentials of the environment as the platform's. One that is gone there is destroyed here. What an operator made, or gave another
   * key or address, stays as it is. Answers the records that the environment has a credential for.
   * @throws ConfigError naming the variables that are of no use
   */
  async adoptEnvironment(): Promise<ProviderRecord[]> {
    const environment = this.config.environment();
    const known = await this.credentials.ofOwner(null);
    const platform = new Map((await this.describe(await this.list(null))).map((account) => [account.provider.name, account]));
    const adopted: ProviderRecord[] = [];
    for (const type of CATALOG) {
      const credential = platformCredential(type, environment);
      const { provider = null, keys = [] } = platform.get(type.slug) ?? {};
      if (provider?.byOperator) continue;
      if (credential) adopted.push(await this.adopt(type, credential, provider, known));
      else if (provider && keys.length > 0) {
        await this.transactions.run((db) => this.change(null, provider.id, {}, { secrets: null }, db));
      }
    }
    return adopted;
  }

  private adopt(
    { slug }: ProviderType,
    credential: Found,
    present: ProviderRecord | null,
    known: readonly Credential[],
  ): Promise<ProviderRecord> {
    const { secret, baseUrl, defaultModel = null } = credential;
    const { origin } = new URL(baseUrl);
    const isKnown = known.some((one) => one.providerId === present?.id && one.origin === origin && one.secret.reveal() === secret);
    const secrets = isKnown ? [] : [new Secret(secret)];
    const record = { tenantId: null, name: slug, type: slug, baseUrl, dialect: null, nativeTools: null, defaultModel, models: ['*'] };
    return this.transactions.run(async (db) => {
      if (!present) return this.insert(record, { secrets }, db);
      const isSame = isKnown && present.baseUrl === baseUrl && present.defaultModel === defaultModel;
      // Its region or project may be another now. The credential is sealed for its origin, so it is entered anew.
      return isSame ? present : this.change(null, present.id, { baseUrl, defaultModel }, { secrets }, db);
    });
  }

  private async insert(record: NewRecord, { secrets, headers }: Shown, db: PrismaExecutor): Promise<ProviderRecord> {
    const provider = await this.providers.insert(record, db);
    if (secrets?.length) await this.credentials.put(provider, secrets, db);
    if (headers) await this.headers.put(provider, headers, db);
    return provider;
  }

  private async change(
    owner: Owner,
    id: Id,
    changes: RecordChanges,
    { secrets, headers }: Shown,
    db: PrismaExecutor,
  ): Promise<ProviderRecord> {
    const before = await this.lock(owner, id, db);
    const after = await this.providers.update(id, changes, db);
    const moved = new URL(after.baseUrl).origin !== new URL(before.baseUrl).origin;
    if (secrets?.length) await this.credentials.put(after, secrets, db);
    else if (secrets === null || after.auth === 'none') await this.credentials.drop(id, db);
    else if (moved) await this.credentials.dropForOrigin(id, db);
    if (headers) await this.headers.put(after, headers, db);
    else if (headers === null || moved) await this.headers.drop(id, db);
    if (moved && owner !== null) await this.connections.drop(owner, id, db);
    return after;
  }

  /** What an operator does to a platform record's keys, no later start undoes. */
  private async takeOver({ id, tenantId, byOperator }: ProviderRecord, db: PrismaExecutor): Promise<void> {
    if (tenantId === null && !byOperator) await this.providers.update(id, { byOperator: true }, db);
  }

  private async find(owner: Owner, id: Id, db?: PrismaExecutor): Promise<ProviderRecord> {
    return found('provider', await this.providers.find(owner, id, db));
  }

  private async lock(owner: Owner, id: Id, db: PrismaExecutor): Promise<ProviderRecord> {
    return found('provider', await this.providers.lock(owner, id, db));
  }

  private async described(provider: ProviderRecord, db?: PrismaExecutor): Promise<ProviderAccount> {
    return (await this.describe([provider], db))[0]!;
  }
}

/** What a start would otherwise set by the environment, or seals for an address that it may change. */
const touchesAccess = ({ keys, credential, baseUrl, auth, headers }: AccountChanges): boolean =>
  [keys, credential, baseUrl, auth, headers].some((given) => given !== undefined);

const unsaved = () => ({ id: newId(), createdAt: new Date(), awaitsKey: false, capabilities: null });

/** A record as it will be. */
const changed = (record: ProviderRecord, changes: Partial<ProviderRecord>): ProviderRecord => ({
  ...record,
  ...(Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Partial<ProviderRecord>),
});
