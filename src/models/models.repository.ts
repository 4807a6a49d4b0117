import { Injectable } from '@nestjs/common';
import { newId } from '../kernel/ids.js';
import { Prisma } from '../platform/postgres/index.js';
import type { ModelEntry } from './model-facts.js';

@Injectable()
export class ModelsRepository {
  constructor(private readonly prisma: Prisma) {}

  /** Makes the entry for a model, or puts this in the place of the one that is there. */
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

  /** The entries of some tenants; null: of all. */
  list(tenantIds: string[] | null): Promise<ModelEntry[]> {
    return this.prisma.model.findMany({ ...(tenantIds && { where: { tenantId: { in: tenantIds } } }), orderBy: { id: 'desc' } });
  }

  async delete(tenantId: string, id: string): Promise<void> {
    await this.prisma.model.deleteMany({ where: { tenantId, id } });
  }
}
