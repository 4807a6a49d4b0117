import { Inject, Injectable } from '@nestjs/common';
import { ConfigChanges, PLATFORM } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { type Credential, CredentialsRepository } from './credentials.repository.js';

/** Credentials in memory, opened once when they change. */
@Injectable()
export class CredentialStore {
  private byProvider = new Map<string, Credential & { tenantId: string | null }>();

  constructor(
    private readonly repository: CredentialsRepository,
    @Inject(LOGGER) private readonly log: Logger,
    changes: ConfigChanges,
  ) {
    changes.subscribe((tenantIds) => this.reload(tenantIds));
  }

  find(providerId: string): Credential | null {
    return this.byProvider.get(providerId) ?? null;
  }

  private async reload(tenantIds: string[] | null): Promise<void> {
    const owners = tenantIds?.map((id) => (id === PLATFORM ? null : id)) ?? null;
    const opened = await this.repository.open(owners, (id) =>
      this.log.error({ credential: id }, 'a credential cannot be opened; enter it again'),
    );
    const kept = owners ? [...this.byProvider.values()].filter((credential) => !owners.includes(credential.tenantId)) : [];
    this.byProvider = new Map([...kept, ...opened].map((credential) => [credential.providerId, credential]));
  }
}
