import { Inject, Injectable } from '@nestjs/common';
import { AdminKeysService, ApiKeysService } from '../api-keys/index.js';
import { CredentialsRepository } from '../credentials/index.js';
import { parsePublicId, publicId } from '../kernel/ids.js';
import { parseUsd } from '../kernel/money.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { Locks, Transactions } from '../platform/postgres/index.js';
import { PricesService } from '../prices/index.js';
import { ProviderAccountsService, ProviderGrants } from '../provider-accounts/index.js';
import { CATALOG, ProvidersRepository } from '../providers/index.js';
import { BudgetsService } from '../quotas/index.js';
import { TenantsRepository } from '../tenants/index.js';
import { type DemoKeys, readDemoKeys, writeDemoKeys } from './demo-keys.js';

/** What a start has to show. */
export interface FirstStart {
  /** Only at the first start without a demo: the operator key, shown once. */
  operatorKey: string | null;
  demo: DemoKeys | null;
  /** Names of the platform providers whose keys were found in the environment. */
  platformProviders: string[];
}

const DEMO_BUDGET = { limit: parseUsd('10.00')!, periodKind: 'month', timezone: 'UTC', mode: 'deny' };

/** Brings a database to where it can serve: catalog prices, platform credentials from the environment, an operator, the demo tenant. */
@Injectable()
export class Setup {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly locks: Locks,
    private readonly transactions: Transactions,
    private readonly tenants: TenantsRepository,
    private readonly apiKeys: ApiKeysService,
    private readonly adminKeys: AdminKeysService,
    private readonly providers: ProvidersRepository,
    private readonly credentials: CredentialsRepository,
    private readonly accounts: ProviderAccountsService,
    private readonly grants: ProviderGrants,
    private readonly prices: PricesService,
    private readonly budgets: BudgetsService,
  ) {}

  /** Processes that start together take turns, so that each thing is made once. */
  run(): Promise<FirstStart> {
    return this.locks.exclusively('weir.setup', () => this.runAlone());
  }

  private async runAlone(): Promise<FirstStart> {
    // When the master key is replaced, so is the use of the one key that installations once had. Before, older builds may run beside this one.
    if (this.config.previousMasterKey !== null) await this.credentials.moveOver();
    await this.prices.seed(CATALOG.map(({ slug, catalogId }) => ({ slug, catalogId })));
    // Provider credentials of the environment belong to the platform. A tenant uses one only once it is granted.
    const platform = await this.accounts.adoptEnvironment();
    const platformProviders = platform.map((provider) => provider.name);
    if (!this.config.demo) {
      const operatorKey = (await this.adminKeys.operatorExists())
        ? null
        : (await this.adminKeys.create(null, { name: 'first operator' })).value;
      return { operatorKey, demo: null, platformProviders };
    }
    const demo = readDemoKeys(this.config.home) ?? (await this.createDemo());
    // The demo is one person's: it may use the keys this person has in the environment.
    const tenant = await this.tenants.find(parsePublicId('tenant', demo.tenant)!);
    if (tenant && !tenant.deletedAt) for (const { id } of platform) await this.grants.grant(id, tenant.id);
    return { operatorKey: null, demo, platformProviders };
  }

  private async createDemo(): Promise<DemoKeys> {
    const keys = await this.transactions.run(async (db) => {
      const { tenant, project } = await this.tenants.insert('demo', {}, db);
      const { value } = await this.apiKeys.create(
        {
          tenantId: tenant.id,
          projectId: project.id,
          name: 'demo',
          models: ['*'],
          maxOutputTokens: null,
          maxCallNano: null,
          fit: null,
          thinkingLevel: null,
          unsupported: null,
          defaultModel: null,
          createdBy: 'setup',
          setBy: 'tenant',
          expiresAt: null,
        },
        db,
      );
      await this.providers.insert(
        { tenantId: tenant.id, name: 'mock', type: 'mock', baseUrl: 'mock://local', dialect: null, nativeTools: null, models: ['*'] },
        db,
      );
      return {
        tenant,
        project,
        apiKey: value,
        adminKey: (await this.adminKeys.create(tenant.id, { name: 'demo admin' }, db)).value,
        operatorKey: (await this.adminKeys.create(null, { name: 'demo operator' }, db)).value,
      };
    });
    await this.budgets.create({
      ...DEMO_BUDGET,
      tenantId: keys.tenant.id,
      scopeKind: 'project',
      scopeValue: publicId('project', keys.project.id),
      // The demo is there to be tried: its admin may change it.
      setBy: 'tenant',
      externalId: null,
      metadata: {},
    });
    const demo: DemoKeys = {
      operator_key: keys.operatorKey,
      tenant: publicId('tenant', keys.tenant.id),
      tenant_admin_key: keys.adminKey,
      project: publicId('project', keys.project.id),
      api_key: keys.apiKey,
    };
    writeDemoKeys(this.config.home, demo);
    return demo;
  }
}
