import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { ConfigChanges, PLATFORM } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { type Credential, CredentialsRepository, type Unreadable } from './credentials.repository.js';

type Opened = Credential & { tenantId: string | null };

/** Credentials in memory, opened once when they change. */
@Injectable()
export class CredentialStore {
  private byProvider = new Map<string, Opened>();

  private unreadable: Unreadable[] = [];

  constructor(
    private readonly repository: CredentialsRepository,
    @Inject(LOGGER) private readonly log: Logger,
    changes: ConfigChanges,
  ) {
    changes.subscribe((tenantIds) => this.reload(tenantIds), { first: true });
  }

  /**
   * @param origin where the provider is now. Providers and their keys are loaded one after the other.
   * @throws WeirError credential_unavailable when its key was entered for another.
   */
  find(providerId: string, origin: string): Credential | null {
    const credential = this.byProvider.get(providerId) ?? null;
    if (credential && credential.origin !== origin) throw new WeirError('credential_unavailable');
    return credential;
  }

  /** It has a credential, but one that cannot be opened: a call without it would be refused there, or be made as somebody else. */
  isUnreadable(providerId: string): boolean {
    return this.unreadable.length > 0 && this.unreadable.some((credential) => credential.providerId === providerId);
  }

  /** One that did not change stays the same object: what was fetched for it is remembered by it. */
  private same(read: Opened): Opened {
    const held = this.byProvider.get(read.providerId);
    const unchanged = held?.id === read.id && held.origin === read.origin && held.secret.reveal() === read.secret.reveal();
    return unchanged ? held : read;
  }

  private async reload(tenantIds: string[] | null): Promise<void> {
    const owners = tenantIds?.map((id) => (id === PLATFORM ? null : id)) ?? null;
    const unreadable: Unreadable[] = [];
    const opened = await this.repository.open(owners, (credential) => {
      unreadable.push(credential);
      this.log.error({ credential: credential.id }, 'a credential cannot be opened; enter it again');
    });
    this.unreadable = [...this.unreadable.filter(({ tenantId }) => owners && !owners.includes(tenantId)), ...unreadable];
    const kept = owners ? [...this.byProvider.values()].filter((credential) => !owners.includes(credential.tenantId)) : [];
    this.byProvider = new Map([...kept, ...opened.map((credential) => this.same(credential))].map((entry) => [entry.providerId, entry]));
  }
}
