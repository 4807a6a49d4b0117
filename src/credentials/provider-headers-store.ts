import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { ConfigChanges, OwnedMap } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { type ProviderHeaders, ProviderHeadersRepository } from './provider-headers.repository.js';

const NONE: NonNullable<ProviderHeaders['headers']> = [];

/** Headers of the customers' own in memory, opened once when they change. */
@Injectable()
export class ProviderHeadersStore {
  private readonly byProvider = new OwnedMap<ProviderHeaders>(({ providerId }) => providerId);

  constructor(
    private readonly repository: ProviderHeadersRepository,
    @Inject(LOGGER) private readonly log: Logger,
    changes: ConfigChanges,
  ) {
    changes.subscribe((owners) => this.byProvider.refill(owners, this.read(owners)), { first: true });
  }

  /**
   * @param origin where the provider is now.
   * @throws WeirError credential_unavailable when they cannot be opened, or were entered for another origin.
   */
  find(providerId: string, origin: string): NonNullable<ProviderHeaders['headers']> {
    const found = this.byProvider.get(providerId);
    if (!found) return NONE;
    if (found.headers === null || found.origin !== origin) throw new WeirError('credential_unavailable');
    return found.headers;
  }

  private async *read(owners: readonly string[] | null): AsyncGenerator<[owner: string, headers: ProviderHeaders[]]> {
    for await (const [owner, opened] of this.repository.open(owners)) {
      for (const { providerId, headers } of opened)
        if (headers === null) this.log.error({ provider: providerId }, 'the headers of a provider cannot be opened; enter them again');
      yield [owner, opened];
    }
  }
}
