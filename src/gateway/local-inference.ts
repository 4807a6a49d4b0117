import { Injectable } from '@nestjs/common';
import type { Caller } from '../api-keys/index.js';
import { activeModel, type InferenceRoute, InferenceRouteBook } from '../inference-local/index.js';
import { WeirError } from '../kernel/errors.js';
import { type ListedModel, type Plan, Router } from '../routing/index.js';
import type { Call } from './call.js';
import { nothingBut } from './surfaces/surface.js';

/** Calls on `inference.local`: their model is the one that the tenant's inference route names, whatever they ask for. */
@Injectable()
export class LocalInference {
  constructor(
    private readonly book: InferenceRouteBook,
    private readonly router: Router,
  ) {}

  /** The model that calls go to now. @throws WeirError inference_not_configured */
  reference({ tenantId }: Caller): string {
    return referenceOf(this.route(tenantId));
  }

  /** Of a call whose models are that one. @throws WeirError inference_not_configured, and what a plan is refused with */
  plan({ caller, prompt, planned }: Call): Plan {
    const { timeoutMs } = this.route(caller.tenantId);
    const plan = orNotConfigured(planned.models[0]!.name, () => this.router.plan(caller, planned));
    const requestedModel = prompt.model ?? plan.requestedModel;
    // What the client is told of the call names the model that it goes to.
    prompt.model = plan.requestedModel;
    const limits = [timeoutMs, plan.policy.deadlineMs].filter((ms) => ms !== null);
    return { ...plan, requestedModel, policy: { ...plan.policy, deadlineMs: limits.length === 0 ? null : Math.min(...limits) } };
  }

  /** The one model that is there. @throws as plan */
  listed(caller: Caller): ListedModel {
    const route = this.route(caller.tenantId);
    const reference = referenceOf(route);
    const [{ target }] = orNotConfigured(reference, () => this.router.plan(caller, nothingBut(reference))).targets;
    return { reference, provider: target.provider, createdAt: route.updatedAt, shown: reference, route: null };
  }

  private route(tenantId: string): InferenceRoute {
    const route = this.book.find(tenantId);
    if (!route) throw new WeirError('inference_not_configured');
    return route;
  }
}

function referenceOf(route: InferenceRoute): string {
  const { provider, model } = activeModel(route);
  return `${provider}/${model}`;
}

/** The client did not ask for the model: that it is not there is not the client's fault. */
function orNotConfigured(reference: string, plan: () => Plan): Plan {
  try {
    return plan();
  } catch (error) {
    if (!(error instanceof WeirError) || error.code !== 'model_not_found') throw error;
    throw new WeirError('inference_not_configured', {
      message: `The model that is set for inference.local, "${reference}", cannot be called by this tenant. An admin of the tenant sets another one with PUT /v1/organization/inference.`,
      cause: error,
    });
  }
}
