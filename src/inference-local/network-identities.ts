import { Injectable } from '@nestjs/common';
import type { Caller } from '../api-keys/index.js';
import { WeirError } from '../kernel/errors.js';
import { publicId } from '../kernel/ids.js';
import { networksAround } from '../platform/listener/index.js';
import { ConfigChanges, OwnedMap } from '../platform/postgres/index.js';
import type { BindingKind, NetworkIdentity } from './network-binding.js';
import { NetworkBindingsRepository, type UsableBinding } from './network-bindings.repository.js';

/** A binding may have been removed since; longer than this nobody relies on that it was not. */
const MAX_UNCONFIRMED_MS = 60_000;

interface Bound {
  binding: UsableBinding;
  caller: Caller;
}

/** Whose calls come from where, in memory. */
@Injectable()
export class NetworkIdentities {
  private readonly bound = new OwnedMap<Bound>(({ binding }) => keyOf(binding.kind, binding.value));
  /** Of the prefixes of networks that were bound since the start. */
  private readonly prefixLengths = new Set<number>();
  /** Ids of bindings, projects and tenants that were withdrawn and not read since, with their tenants. */
  private readonly withdrawn = new Map<string, string>();

  constructor(
    private readonly repository: NetworkBindingsRepository,
    private readonly changes: ConfigChanges,
  ) {
    changes.subscribe((tenantIds) => this.reload(tenantIds));
    changes.onWithdrawn((tenantId, what) => this.withdrawn.set(what, tenantId));
  }

  /**
   * Who calls from there: the most specific binding counts, a certificate before a listener, a listener before a network, a network before a larger
   * one. Null: nothing of it is bound.
   * @throws WeirError keys_unconfirmed, tenant_suspended
   */
  find(identity: NetworkIdentity): Caller | null {
    const found = this.lookUp(identity);
    if (!found) return null;
    const { id, projectId, tenantId, isSuspended } = found.binding;
    if (this.changes.ageMs > MAX_UNCONFIRMED_MS) throw new WeirError('keys_unconfirmed');
    if (this.withdrawn.has(id) || this.withdrawn.has(projectId)) return null;
    if (isSuspended || this.withdrawn.has(tenantId)) throw new WeirError('tenant_suspended');
    return found.caller;
  }

  private lookUp({ certificate, listener, address }: NetworkIdentity): Bound | undefined {
    const exact =
      (certificate !== null && this.bound.get(keyOf('client_certificate', certificate))) ||
      (listener !== null && this.bound.get(keyOf('listener', listener)));
    if (exact) return exact;
    for (const network of address === null ? [] : networksAround(address, this.prefixLengths)) {
      const found = this.bound.get(keyOf('cidr', network));
      if (found) return found;
    }
    return undefined;
  }

  /** What is withdrawn meanwhile may be read as it was before. */
  private async reload(tenantIds: string[] | null): Promise<void> {
    const withdrawnBefore = [...this.withdrawn];
    await this.bound.refill(tenantIds, this.usable(tenantIds));
    for (const [what, tenantId] of withdrawnBefore) if (!tenantIds || tenantIds.includes(tenantId)) this.withdrawn.delete(what);
  }

  private async *usable(tenantIds: string[] | null): AsyncGenerator<[tenantId: string, bound: Bound[]]> {
    for await (const [tenantId, bindings] of this.repository.usable(tenantIds)) {
      for (const { kind, value } of bindings) if (kind === 'cidr') this.prefixLengths.add(Number(value.split('/')[1]));
      yield [tenantId, bindings.map((binding) => ({ binding, caller: callerOf(binding) }))];
    }
  }
}

const keyOf = (kind: BindingKind, value: string): string => `${kind} ${value}`;

const callerOf = (binding: UsableBinding): Caller => ({
  tenantId: binding.tenantId,
  projectId: binding.projectId,
  apiKeyId: binding.id,
  keyName: binding.value,
  models: null,
  endpoints: null,
  maxOutputTokens: null,
  maxCallCost: null,
  shrinksToFit: false,
  thinkingLevel: null,
  defaultModel: null,
  defaultModelFrom: null,
  hasSessions: binding.hasSessions,
  dropsUnsupported: false,
  unpricedCallCost: binding.unpricedCallNano,
  keepsAnswers: binding.keepsAnswers,
  scopes: [
    { kind: 'tenant', value: publicId('tenant', binding.tenantId) },
    { kind: 'project', value: publicId('project', binding.projectId) },
    { kind: 'binding', value: publicId('binding', binding.id) },
  ],
});
