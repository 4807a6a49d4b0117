import { Injectable } from '@nestjs/common';
import { type SubscriptionProvider, type SubscriptionToken, SubscriptionTokens } from '../../connections/index.js';
import type { WeirError } from '../../kernel/errors.js';
import { Secret } from '../../platform/crypto/index.js';
import type { TargetPlan } from '../../routing/index.js';

/** Gives calls to a person's subscription the token of its connection. Before anything is held: what is not connected costs nothing. */
@Injectable()
export class Subscriptions {
  constructor(private readonly tokens: SubscriptionTokens) {}

  /** @throws WeirError connection_not_enabled, connection_required, credential_unavailable, upstream_… when the token cannot be renewed */
  async take(tenantId: string, plan: TargetPlan): Promise<ConnectedTarget> {
    const provider = { tenantId, ...plan.target };
    return new ConnectedTarget(this.tokens, provider, plan, await this.tokens.take(provider));
  }
}

/** How one call goes to its target with the token of a connection. */
export class ConnectedTarget {
  constructor(
    private readonly tokens: SubscriptionTokens,
    private readonly provider: SubscriptionProvider,
    private readonly planned: TargetPlan,
    private token: SubscriptionToken,
  ) {}

  get plan(): TargetPlan {
    return withToken(this.planned, this.token);
  }

  /** The token was refused: the same with another one. @throws WeirError as `take` */
  async renew(): Promise<TargetPlan> {
    this.token = await this.tokens.renew(this.provider, this.token);
    return this.plan;
  }

  /** The renewed token was refused as well, which ends the connection. Answers what the client is told. */
  expire(): Promise<WeirError> {
    return this.tokens.expire(this.provider, this.token);
  }
}

function withToken(plan: TargetPlan, { connection, access, origin, basePath }: SubscriptionToken): TargetPlan {
  const { target } = plan;
  const credential = {
    id: connection.id,
    providerId: target.providerId,
    tenantId: connection.tenantId,
    origin,
    secret: new Secret(access.token),
  };
  return {
    ...plan,
    target: { ...target, origin, basePath, credential, subscriptionHeaders: [...target.subscriptionHeaders, ...access.headers] },
  };
}
