import { Injectable } from '@nestjs/common';
import { type SubscriptionProvider, type SubscriptionToken, SubscriptionTokens } from '../connections/index.js';
import { WeirError } from '../kernel/errors.js';
import { Secret } from '../platform/crypto/index.js';
import type { TargetPlan } from '../routing/index.js';
import type { Outcome } from './outcome.js';

/** Gives calls to a person's subscription the token of its connection. Before anything is held: what is not connected costs nothing. */
@Injectable()
export class Subscriptions {
  constructor(private readonly tokens: SubscriptionTokens) {}

  /** @throws WeirError connection_not_enabled, connection_required, credential_unavailable, upstream_… when the token cannot be renewed */
  async take(tenantId: string, plan: TargetPlan): Promise<ConnectedPlan> {
    const provider = { tenantId, ...plan.target };
    return new ConnectedPlan(this.tokens, provider, plan, await this.tokens.take(provider));
  }
}

/** The plan of one call with the token it is made with. */
class ConnectedPlan {
  readonly plan: TargetPlan;

  constructor(
    private readonly tokens: SubscriptionTokens,
    private readonly provider: SubscriptionProvider,
    private readonly planned: TargetPlan,
    private readonly token: SubscriptionToken,
  ) {
    this.plan = withToken(planned, token);
  }

  /** A token that is refused is replaced, once; the second refusal ends the connection. Never rejects. */
  async send(send: (plan: TargetPlan) => Promise<Outcome>): Promise<Outcome> {
    const first = await send(this.plan);
    if (!isUnauthorized(first)) return first;
    let renewed: SubscriptionToken;
    try {
      renewed = await this.tokens.renew(this.provider, this.token);
    } catch (error) {
      return { ...first, error: error instanceof WeirError ? error : new WeirError('internal_error', { cause: error }) };
    }
    const second = await send(withToken(this.planned, renewed));
    const attempts = [...first.attempts, ...second.attempts];
    return { ...second, attempts, error: isUnauthorized(second) ? await this.tokens.expire(this.provider, renewed) : second.error };
  }
}

/** Refused before anything was made of it. */
const isUnauthorized = ({ used, attempts }: Outcome): boolean => !used && attempts.at(-1)?.status === 401;

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
