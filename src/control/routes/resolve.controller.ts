import { Body, Controller, Post } from '@nestjs/common';
import type { z } from 'zod';
import { ApiKeysService } from '../../api-keys/index.js';
import { found } from '../../kernel/found.js';
import { publicId } from '../../kernel/ids.js';
import { renderRates } from '../../prices/index.js';
import { RouteBook } from '../../routes/index.js';
import { listedModels, needsOf, type Requester, type Resolution, Router } from '../../routing/index.js';
import { TenantsRepository } from '../../tenants/index.js';
import { Access } from '../http/access.js';
import { TenantId } from '../http/admin.js';
import { Answers } from '../http/route.js';
import { ResolutionObject, ResolveModel } from './resolve.schema.js';

@Controller('v1/organization/models/resolve')
@Access('tenant')
export class ResolveController {
  constructor(
    private readonly router: Router,
    private readonly routes: RouteBook,
    private readonly apiKeys: ApiKeysService,
    private readonly tenants: TenantsRepository,
  ) {}

  @Post()
  @Answers(
    ResolutionObject,
    'Resolve a call without making it. Takes the body of a call; the reply names the route that matches, the targets in order, and those that are skipped with the reason.',
  )
  async resolve(@TenantId() tenantId: string, @Body({ schema: ResolveModel }) { api_key: apiKeyId, ...body }: ResolveModel) {
    const { scopes, ...requester } = await this.requester(tenantId, apiKeyId ?? null);
    await this.routes.refresh();
    const named = body.model ? [{ name: body.model, param: 'model' }] : [];
    return render(
      this.router.resolve(requester, {
        models: [...named, ...listedModels(body)],
        defaultModel: null,
        maxOutputTokens: body.max_output_tokens ?? body.max_completion_tokens ?? body.max_tokens ?? null,
        session: null,
        timeoutMs: null,
        scopes,
        inputTokensBound: Buffer.byteLength(JSON.stringify(body)),
        needs: () => needsOf(body),
      }),
    );
  }

  /** @throws WeirError not_found when the tenant has no such key. */
  private async requester(tenantId: string, apiKeyId: string | null): Promise<Requester & { scopes: { kind: string; value: string }[] }> {
    const { defaultModel } = await this.tenants.existing(tenantId);
    const scopes = [{ kind: 'tenant', value: publicId('tenant', tenantId) }];
    if (apiKeyId === null) return { tenantId, models: null, maxOutputTokens: null, defaultModel, defaultModelFrom: 'tenant', scopes };
    const key = found('apiKey', await this.apiKeys.findInTenant(tenantId, apiKeyId), 'api_key');
    const project = await this.tenants.findProject(tenantId, key.projectId);
    return {
      tenantId,
      models: key.models.includes('*') ? null : new Set(key.models),
      maxOutputTokens: key.maxOutputTokens,
      scopes: [
        ...scopes,
        { kind: 'project', value: publicId('project', key.projectId) },
        { kind: 'api_key', value: publicId('apiKey', key.id) },
      ],
      defaultModel: key.defaultModel ?? project?.defaultModel ?? defaultModel,
      defaultModelFrom: key.defaultModel !== null ? 'api_key' : project?.defaultModel ? 'project' : 'tenant',
    };
  }
}

const render = ({ requestedModel, route, targets, skipped, policy }: Resolution): z.input<typeof ResolutionObject> => ({
  object: 'model.resolution',
  requested_model: requestedModel,
  route: route && {
    id: publicId('route', route.id),
    name: route.name,
    match: route.match,
    owner: route.tenantId === null ? 'platform' : 'tenant',
  },
  targets: targets.map(({ reference, target, pinned, maxOutputTokens }) => ({
    model: reference,
    provider: target.provider,
    credential: pinned ? publicId('credential', target.credential!.id) : null,
    max_output_tokens: maxOutputTokens,
    context_window: target.facts.contextWindow,
    price: target.price && renderRates(target.price.rates),
  })),
  skipped: skipped.map(({ model, error }) => ({ model, reason: error.message })),
  policy: {
    retries: policy.retries,
    attempts: policy.attempts,
    deadline_ms: policy.deadlineMs,
    fallback_on: [...policy.fallbackOn],
  },
});
