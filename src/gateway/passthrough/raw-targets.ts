import { Injectable } from '@nestjs/common';
import type { Caller } from '../../api-keys/index.js';
import { CredentialStore } from '../../credentials/index.js';
import { type EgressRule, EgressRuleBook, faultOfCall, nameOf } from '../../egress-rules/index.js';
import { WeirError } from '../../kernel/errors.js';
import { nearest } from '../../kernel/nearest.js';
import { adviceAt } from '../../platform/listener/index.js';
import { ProviderDirectory, rawAccessFault } from '../../providers/index.js';
import { type Target, type TargetPrices, Targets } from '../../routing/index.js';
import type { RawRequest } from './raw-request.js';

/** Where a request goes, and the rule that lets it. */
export interface RawTarget {
  rule: EgressRule;
  target: Target;
  /** What the model that served a request costs. */
  pricesOf(model: string): TargetPrices;
}

/** Finds out where a request may go. There is no default and no guess: what no rule names is refused, with the nearest name that one does. */
@Injectable()
export class RawTargets {
  constructor(
    private readonly rules: EgressRuleBook,
    private readonly providers: ProviderDirectory,
    private readonly credentials: CredentialStore,
    private readonly targets: Targets,
  ) {}

  /**
   * @param session its requests keep to one of the provider's keys.
   * @throws WeirError passthrough_not_allowed, model_not_allowed, credential_missing, credential_unavailable
   */
  find({ tenantId, models }: Caller, { method, provider, path }: RawRequest, session: string | null): RawTarget {
    const rule = this.rules.find(tenantId, provider, method, path);
    if (!rule) throw notAllowed(this.unknown(tenantId, method, provider, path));
    const fault = faultOfCall(rule, path);
    if (fault !== null) throw notAllowed(`"${method} ${path}" ${fault}.`);
    if (models !== null) throw new WeirError('model_not_allowed', { message: LIMITED_KEY });
    const record = this.providers.find(tenantId, provider);
    if (!record) throw notAllowed(`There is no provider "${provider}" any more. The egress rule ${nameOf(rule)} is for one.`);
    const refused = rawAccessFault(record);
    if (refused !== null) throw notAllowed(refused);
    const { origin } = new URL(record.baseUrl);
    if (rule.origin !== origin)
      throw notAllowed(
        `The provider "${provider}" has moved to another address since the egress rule ${nameOf(rule)} was set. Set it anew.`,
      );
    if (record.awaitsKey) throw new WeirError('credential_missing');
    if (this.credentials.isUnreadable(record.id)) throw new WeirError('credential_unavailable');
    const credential = this.credentials.find(record.id, origin, nameOf(rule), session);
    return {
      rule,
      target: this.targets.of(tenantId, record, nameOf(rule), credential),
      pricesOf: (model) => this.targets.of(tenantId, record, model, null),
    };
  }

  /** What a client reads whose request no rule allows. */
  private unknown(tenantId: string, method: string, provider: string, path: string): string {
    const rules = this.rules.of(tenantId, provider);
    if (rules.length === 0) {
      const near = nearest(provider, this.rules.providers(tenantId));
      return `No egress rule allows requests to "${provider}". ${near === null ? ADD_ONE : `Did you mean "${near}"?`}`;
    }
    const routes = rules.map((rule) => ({ method: rule.method, path: rule.path.replace(/\{(\w+)\}/g, ':$1') }));
    return `No egress rule allows ${method} ${path} of the provider "${provider}". ${adviceAt(path, routes) ?? ADD_ONE}`;
  }
}

const notAllowed = (message: string): WeirError => new WeirError('passthrough_not_allowed', { message });

const ADD_ONE = 'An admin of the tenant can add one: POST /v1/organization/egress_rules.';
const LIMITED_KEY =
  'This API key may use some models only, and a request that is passed through names none. Use a key without such a list.';
