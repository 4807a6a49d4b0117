import { Injectable } from '@nestjs/common';
import { activeModel, type InferenceRoute, InferenceRoutesRepository } from '../../inference-local/index.js';
import { WeirError } from '../../kernel/errors.js';
import { outsideTenantScope } from '../../platform/postgres/index.js';
import { type Capabilities, ProviderAccountsService } from '../../provider-accounts/index.js';
import { References } from '../../routing/index.js';
import { renderRoute } from './render.js';
import type { PutPlatformInferenceRoute } from './schema.js';

/** A route is a tenant's, or the platform's default. */
type Owner = string | null;

/** What tenants and operators do with the route of `inference.local`. */
@Injectable()
export class InferenceRoutes {
  constructor(
    private readonly routes: InferenceRoutesRepository,
    private readonly references: References,
    private readonly accounts: ProviderAccountsService,
  ) {}

  /** @throws WeirError invalid_request, probe_failed, precondition_failed */
  async put(owner: Owner, asked: PutPlatformInferenceRoute, version: number | null) {
    const { provider, model, timeout_ms: timeoutMs = null, local = null, verify } = asked;
    const check = await this.check(owner, provider, model, verify);
    if (check?.ok === false)
      throw new WeirError('probe_failed', {
        message: `"${provider}/${model}" does not answer: ${check.class}, after ${check.latency_ms} ms. Fix the provider, or save the route with "verify": false.`,
        fields: { class: check.class, latency_ms: check.latency_ms },
      });
    // It may be away: that is what the other one is for.
    const localCheck = local && (await this.check(owner, local.provider, local.model, verify));
    const route = await this.routes.put(
      {
        tenantId: owner,
        provider,
        model,
        timeoutMs,
        local: local && {
          provider: local.provider,
          model: local.model,
          probeSeconds: local.probe_seconds,
          healthy: localCheck?.ok === true,
        },
      },
      version,
    );
    if (!route) throw new WeirError('precondition_failed');
    return renderRoute(route, await this.faultOf(owner, route), check);
  }

  /** @throws WeirError not_found */
  async get(owner: Owner, verify: boolean) {
    const route = await this.inForce(owner);
    const reason = await this.faultOf(owner, route);
    const active = activeModel(route);
    const check = verify && reason === null ? await this.check(owner, active.provider, active.model, true) : null;
    return renderRoute(route, reason, check);
  }

  /** @throws WeirError not_found, precondition_failed */
  async delete(owner: Owner, version: number | null): Promise<void> {
    if (!(await this.routes.find(owner))) throw notSet(owner);
    if (!(await this.routes.delete(owner, version))) throw new WeirError('precondition_failed');
  }

  private async inForce(owner: Owner): Promise<InferenceRoute> {
    const own = await this.routes.find(owner);
    // The platform's is no tenant's to read, but for this.
    const route = own ?? (owner === null ? null : await outsideTenantScope(() => this.routes.find(null)));
    if (!route) throw notSet(owner);
    return route;
  }

  /** Null: it was not asked. @throws WeirError invalid_request when there is no such model */
  private async check(owner: Owner, provider: string, model: string, verify: boolean): Promise<Capabilities | null> {
    const record = await this.references.exposing(owner, provider, model);
    return verify ? this.accounts.probeModel(record, model) : null;
  }

  /** Why calls cannot be sent where a route leads. Null: they can. */
  private async faultOf(owner: Owner, route: InferenceRoute): Promise<string | null> {
    const { provider, model } = activeModel(route);
    try {
      const record = await this.references.exposing(owner, provider, model);
      return record.awaitsKey ? new WeirError('credential_missing').message : null;
    } catch (error) {
      if (error instanceof WeirError) return error.message;
      throw error;
    }
  }
}

const notSet = (owner: Owner): WeirError =>
  new WeirError('not_found', {
    message: `No model is set for inference.local. Set one with PUT /v1/${owner === null ? 'platform' : 'organization'}/inference.`,
  });
