import { Inject, Injectable } from '@nestjs/common';
import { ConfigChanges, OwnedMap } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import type { OpenConnection } from './connection.js';
import { ConnectionsRepository } from './connections.repository.js';

/** Connections in memory, opened once when they change. */
@Injectable()
export class ConnectionStore {
  private readonly byProvider = new OwnedMap<OpenConnection>(({ providerId }) => providerId);

  constructor(
    private readonly repository: ConnectionsRepository,
    @Inject(LOGGER) private readonly log: Logger,
    changes: ConfigChanges,
  ) {
    const unreadable = (id: string) =>
      this.log.error({ connection: id }, 'the token of a connection cannot be opened; connect its provider again');
    changes.subscribe((owners) => this.byProvider.refill(owners, this.repository.openAll(owners, unreadable)), { first: true });
  }

  find(providerId: string): OpenConnection | null {
    return this.byProvider.get(providerId) ?? null;
  }

  /** What this process has just stored. A read that began before it may put the older back: then it is renewed again, and found stored. */
  put(connection: OpenConnection): void {
    this.byProvider.put(connection.tenantId, connection);
  }
}
