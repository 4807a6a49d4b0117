import { Inject, Injectable } from '@nestjs/common';
import { ConfigChanges, PLATFORM } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import type { OpenConnection } from './connection.js';
import { ConnectionsRepository } from './connections.repository.js';

/** Connections in memory, opened once when they change. */
@Injectable()
export class ConnectionStore {
  private readonly byProvider = new Map<string, OpenConnection>();

  constructor(
    private readonly repository: ConnectionsRepository,
    @Inject(LOGGER) private readonly log: Logger,
    changes: ConfigChanges,
  ) {
    changes.subscribe((tenantIds) => this.reload(tenantIds), { first: true });
  }

  find(providerId: string): OpenConnection | null {
    return this.byProvider.get(providerId) ?? null;
  }

  /** What this process has just stored. A read that began before it may put the older back: then it is renewed again, and found stored. */
  put(connection: OpenConnection): void {
    this.byProvider.set(connection.providerId, connection);
  }

  private async reload(tenantIds: string[] | null): Promise<void> {
    const owners = tenantIds?.filter((id) => id !== PLATFORM) ?? null;
    const opened = await this.repository.openAll(owners, (id) =>
      this.log.error({ connection: id }, 'the token of a connection cannot be opened; connect its provider again'),
    );
    for (const [providerId, { tenantId }] of this.byProvider)
      if (owners === null || owners.includes(tenantId)) this.byProvider.delete(providerId);
    for (const connection of opened) this.put(connection);
  }
}
