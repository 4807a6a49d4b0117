import { Inject, Injectable } from '@nestjs/common';
import { newId } from '../kernel/ids.js';
import { CONFIG_POOL, type OwnedTable, type Pool, Prisma, rowsByOwner } from '../platform/postgres/index.js';
import type { ModelEntry } from './model-entry.js';

const MODELS: OwnedTable = {
  columns: `t.id, t.tenant_id AS "tenantId", t.provider, t.model, t.context_window AS "contextWindow", t.max_output_tokens AS "maxOutputTokens",
    t.tools, t.vision, t.reasoning, t.created_at AS "createdAt"`,
  table: 'models',
  key: 'id',
  where: 'true',
  platform: false,
};

@Injectable()
export class ModelsRepository {
  constructor(
    private readonly prisma: Prisma,
    @Inject(CONFIG_POOL) private readonly pool: Pool,
  ) {}

  /** Makes the entry for a model, or puts this instead of the one that is there. */
  put(entry: Omit<ModelEntry, 'id' | 'createdAt'>): Promise<ModelEntry> {
    const { tenantId, provider, model, ...facts } = entry;
    return this.prisma.model.upsert({
      where: { tenantId_provider_model: { tenantId, provider, model } },
      create: { id: newId(), ...entry },
      update: facts,
    });
  }

  /** Null: no such entry of this tenant. */
  find(tenantId: string, id: string): Promise<ModelEntry | null> {
    return this.prisma.model.findFirst({ where: { tenantId, id } });
  }

  /** The entries of some tenants (null: of all), tenant by tenant. */
  byTenant(tenantIds: readonly string[] | null): AsyncGenerator<[tenantId: string, entries: ModelEntry[]]> {
    return rowsByOwner<ModelEntry, ModelEntry>(this.pool, MODELS, tenantIds, (entry) => entry);
  }

  /** The entries of a tenant. */
  list(tenantId: string): Promise<ModelEntry[]> {
    return this.prisma.model.findMany({ where: { tenantId }, orderBy: { id: 'desc' } });
  }

  async delete(tenantId: string, id: string): Promise<void> {
    await this.prisma.model.deleteMany({ where: { tenantId, id } });
  }
}
