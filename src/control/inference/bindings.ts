import { Inject, Injectable } from '@nestjs/common';
import { bindingValue, NetworkBindingsRepository } from '../../inference-local/index.js';
import { WeirError } from '../../kernel/errors.js';
import { found } from '../../kernel/found.js';
import type { Id } from '../../kernel/ids.js';
import { CONFIG, type Config } from '../../platform/config/index.js';
import { inTenantScope } from '../../platform/postgres/index.js';
import { TenantsRepository } from '../../tenants/index.js';
import { type ListQuery, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { renderBinding } from './render.js';
import type { CreateBinding, CreateCertificateBinding } from './schema.js';

const READ_MS = 2_000;

/** What operators and tenants do with bindings alike. */
@Injectable()
export class Bindings {
  constructor(
    private readonly bindings: NetworkBindingsRepository,
    private readonly tenants: TenantsRepository,
    @Inject(CONFIG) private readonly config: Pick<Config, 'inference'>,
  ) {}

  /** @throws WeirError invalid_request, not_found, conflict, too_many */
  async create(tenantId: string, createdBy: string, asked: CreateBinding | CreateCertificateBinding) {
    const value = bindingValue(asked.kind, asked.value, asked.kind !== 'client_certificate' && asked.allow_loopback);
    if (asked.kind === 'listener') this.checkListener(value);
    // An operator sees every tenant: the project is looked for in this one.
    const projectId = await inTenantScope({ tenantId, actsAs: 'tenant', statementTimeoutMs: READ_MS }, () =>
      this.projectOf(tenantId, asked.project_id),
    );
    return renderBinding(await this.bindings.insert({ tenantId, projectId, kind: asked.kind, value, createdBy }));
  }

  async list(tenantId: string, query: ListQuery) {
    const { items, hasMore } = pageOf(await this.bindings.list(tenantId), 'binding', query);
    return renderList(items.map(renderBinding), hasMore);
  }

  /** @throws WeirError not_found */
  async delete(tenantId: string, id: string) {
    const binding = found('binding', await this.bindings.find(tenantId, idOf('binding', id)));
    await this.bindings.delete(tenantId, binding.id);
    return { id, object: 'inference_binding', deleted: true };
  }

  /** A process without listeners cannot tell which ones others have. */
  private checkListener(name: string): void {
    const names = this.config.inference.listeners.map((listener) => listener.name);
    if (names.length === 0 || names.includes(name)) return;
    const message = `There is no listener "${name}" in WEIR_INFERENCE_LISTEN. It has ${names.join(', ')}.`;
    throw new WeirError('invalid_request', { param: 'value', message });
  }

  private async projectOf(tenantId: string, asked: Id | undefined): Promise<string> {
    if (asked !== undefined) return found('project', await this.tenants.findProject(tenantId, asked), 'project_id').id;
    const oldest = (await this.tenants.listProjects(tenantId)).filter(({ archivedAt }) => archivedAt === null).at(-1);
    if (oldest) return oldest.id;
    throw new WeirError('invalid_request', {
      param: 'project_id',
      message: 'The tenant has no project that the calls could count for. Create one first.',
    });
  }
}
