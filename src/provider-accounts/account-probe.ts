import { Injectable } from '@nestjs/common';
import { CredentialsRepository, ProviderHeadersRepository } from '../credentials/index.js';
import { WeirError } from '../kernel/errors.js';
import { newId } from '../kernel/ids.js';
import { Secret } from '../platform/crypto/index.js';
import { outsideTenantScope, PLATFORM } from '../platform/postgres/index.js';
import type { ProviderRecord } from '../providers/index.js';
import { type Target, Targets } from '../routing/index.js';
import { type Capabilities, capabilitiesOf } from './capabilities.js';
import { Prober } from './prober.js';

/** What a provider will be shown, where it differs from what is stored. */
interface Change {
  /** Null: none. Absent: what is stored, if it is for this origin. */
  key?: Secret | null | undefined;
  headers?: Readonly<Record<string, string>> | null | undefined;
}

const ANY_MODEL = '*';

/** Looks whether a provider works as it is, or as it is about to be saved. */
@Injectable()
export class AccountProbe {
  constructor(
    private readonly prober: Prober,
    private readonly targets: Targets,
    private readonly credentials: CredentialsRepository,
    private readonly headers: ProviderHeadersRepository,
  ) {}

  async run(record: ProviderRecord, change: Change = {}): Promise<Capabilities> {
    const { origin } = new URL(record.baseUrl);
    const credential = change.key === undefined ? await this.stored(record, origin) : credentialOf(record, origin, change.key);
    const headers =
      change.headers === undefined
        ? await this.storedHeaders(record, origin)
        : Object.entries(change.headers ?? {}).map(([name, value]) => [name, new Secret(value)] as const);
    const model = record.defaultModel ?? record.models.find((name) => name !== ANY_MODEL) ?? null;
    return capabilitiesOf(
      await this.prober.probe((id) => this.targets.of(record.tenantId ?? PLATFORM, record, id, credential, headers), model),
    );
  }

  /** The same, for what must work before it is saved. @throws WeirError probe_failed */
  async pass(record: ProviderRecord, change: Change): Promise<Capabilities> {
    const found = await this.run(record, change);
    if (found.ok) return found;
    throw new WeirError('probe_failed', {
      message: `The provider check failed: ${found.class}, after ${found.latency_ms} ms. Fix the provider, or save it with "no_verify": true.`,
      fields: { class: found.class, latency_ms: found.latency_ms },
    });
  }

  private async stored({ id, tenantId }: ProviderRecord, origin: string): Promise<Target['credential']> {
    const all = await outsideTenantScope(() => this.credentials.ofOwner(tenantId));
    return all.find((credential) => credential.providerId === id && credential.origin === origin) ?? null;
  }

  private async storedHeaders({ id, tenantId }: ProviderRecord, origin: string): Promise<Target['headers']> {
    const all = await outsideTenantScope(() => this.headers.ofOwner(tenantId));
    return all.find((entry) => entry.providerId === id && entry.origin === origin)?.headers ?? [];
  }
}

const credentialOf = ({ id, tenantId }: ProviderRecord, origin: string, secret: Secret | null): Target['credential'] =>
  secret && { id: newId(), providerId: id, tenantId, origin, secret };
