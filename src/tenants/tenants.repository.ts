import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { found } from '../kernel/found.js';
import { newId } from '../kernel/ids.js';
import { functionSql, isUniqueViolation, Prisma, type PrismaExecutor } from '../platform/postgres/index.js';
import { DEFAULT_PROJECT, type Project, type Tenant } from './tenant.js';

export interface Labels {
  externalId?: string | null;
  metadata?: Record<string, string>;
}

/** A call by its place in the order of admission, as Postgres writes it, which keeps the microseconds. */
interface CallKey {
  at: string;
  id: string;
}

@Injectable()
export class TenantsRepository {
  constructor(private readonly prisma: Prisma) {}

  /** Makes a tenant with its default project. */
  async insert(name: string, labels: Labels, db: PrismaExecutor = this.prisma): Promise<{ tenant: Tenant; project: Project }> {
    try {
      const tenant = await db.tenant.create({ data: { id: newId(), name, ...labels } });
      return { tenant, project: await this.insertProject(tenant.id, DEFAULT_PROJECT, {}, db) };
    } catch (error) {
      throw externalIdTaken(error);
    }
  }

  find(id: string): Promise<Tenant | null> {
    return this.prisma.tenant.findFirst({ where: { id } });
  }

  /** @throws WeirError not_found, tenant_deleted, conflict */
  async update(
    id: string,
    changes: { name?: string; unpricedCallNano?: bigint | null; keepsAnswers?: boolean; defaultModel?: string | null } & Labels,
  ): Promise<Tenant> {
    await this.existing(id);
    try {
      return await this.prisma.tenant.update({ where: { id }, data: changes });
    } catch (error) {
      throw externalIdTaken(error);
    }
  }

  /** @throws WeirError not_found, tenant_deleted */
  async existing(id: string, param?: string): Promise<Tenant> {
    const tenant = found('tenant', await this.find(id), param);
    if (tenant.deletedAt) throw new WeirError('tenant_deleted', { param });
    return tenant;
  }

  list(): Promise<Tenant[]> {
    return this.prisma.tenant.findMany({ where: { deletedAt: null }, orderBy: { id: 'desc' } });
  }

  /** Stops new calls of a tenant. The first time counts. @param actor who says so, for the event. */
  async suspend(id: string, actor: string): Promise<void> {
    await this.prisma.$queryRaw`
      WITH changed AS (UPDATE tenants SET suspended_at = weir_now() WHERE id = ${id}::uuid AND suspended_at IS NULL AND deleted_at IS NULL RETURNING *)
      SELECT 1 FROM changed, ${functionSql('emit_event')}(id, 'tenant.suspended', 'tenant.suspended:' || id || ':' || suspended_at, jsonb_build_object('actor', ${actor}::text))`;
  }

  /** Lets a suspended tenant make calls again. @param actor who says so, for the event. */
  async resume(id: string, actor: string): Promise<void> {
    await this.prisma.$queryRaw`
      WITH changed AS (UPDATE tenants SET suspended_at = NULL WHERE id = ${id}::uuid AND suspended_at IS NOT NULL AND deleted_at IS NULL RETURNING *)
      SELECT 1 FROM changed, ${functionSql('emit_event')}(id, 'tenant.resumed', 'tenant.resumed:' || id || ':' || weir_now(), jsonb_build_object('actor', ${actor}::text))`;
  }

  /** Deletes a tenant and blanks it but for its calls, if it is suspended and none of its calls is in flight. Answers what came of it. */
  async delete(id: string, actor: string): Promise<'deleted' | 'active' | 'suspending' | 'in_flight'> {
    type Became = Awaited<ReturnType<TenantsRepository['delete']>>;
    const [row] = await this.prisma.$queryRaw<
      { became: Became }[]
    >`SELECT ${functionSql('delete_tenant')}(${id}::uuid, ${actor}) AS became`;
    return row!.became;
  }

  /** Blanks a deleted tenant, but for its calls. */
  async erase(id: string): Promise<void> {
    await this.prisma.$executeRaw`SELECT ${functionSql('erase_tenant')}(${id}::uuid)`;
  }

  /** Blanks some calls of a deleted tenant, after one of them. Answers the last; null: there are no more. */
  async eraseCalls(id: string, after: CallKey | null, limit: number): Promise<CallKey | null> {
    const [row] = await this.prisma.$queryRaw<{ at: string | null; id: string }[]>`
      SELECT last_at::text AS at, last_id::text AS id
      FROM ${functionSql('erase_calls')}(${id}::uuid, ${after?.at ?? null}::text::timestamptz, ${after?.id ?? null}::uuid, ${limit}::int)`;
    return row!.at === null ? null : { at: row!.at, id: row!.id };
  }

  async noteErased(id: string): Promise<void> {
    await this.prisma.$executeRaw`UPDATE tenants SET erased_at = weir_now() WHERE id = ${id}::uuid`;
  }

  /** Deleted tenants that are to be blanked, or daily for a week to be blanked again. */
  async toErase(): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ id: string }[]>`
      SELECT id FROM tenants WHERE deleted_at IS NOT NULL
        AND (erased_at IS NULL OR (erased_at < weir_now() - interval '1 day' AND erased_at < deleted_at + interval '8 days')) ORDER BY deleted_at`;
    return rows.map((row) => row.id);
  }

  async insertProject(
    tenantId: string,
    name: string,
    labels: Labels & { defaultModel?: string | null },
    db: PrismaExecutor = this.prisma,
  ): Promise<Project> {
    try {
      return await db.project.create({ data: { id: newId(), tenantId, name, ...labels } });
    } catch (error) {
      throw projectNameTaken(error, name);
    }
  }

  findProject(tenantId: string, id: string): Promise<Project | null> {
    return this.prisma.project.findFirst({ where: { tenantId, id } });
  }

  listProjects(tenantId: string): Promise<Project[]> {
    return this.prisma.project.findMany({ where: { tenantId }, orderBy: { id: 'desc' } });
  }

  async updateProject(
    tenantId: string,
    id: string,
    changes: { name?: string; archivedAt?: Date; defaultModel?: string | null } & Labels,
  ): Promise<Project> {
    try {
      return await this.prisma.project.update({ where: { tenantId_id: { tenantId, id } }, data: changes });
    } catch (error) {
      throw projectNameTaken(error, changes.name);
    }
  }
}

function externalIdTaken(error: unknown): unknown {
  if (!isUniqueViolation(error)) return error;
  return new WeirError('conflict', { param: 'external_id', message: 'A tenant with this external_id already exists.' });
}

function projectNameTaken(error: unknown, name: string | undefined): unknown {
  if (!isUniqueViolation(error)) return error;
  return new WeirError('conflict', { param: 'name', message: `A project named "${name}" already exists.` });
}
