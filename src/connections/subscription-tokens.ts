import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { DestinationGuard, DestinationRefused } from '../platform/egress/index.js';
import { ServerClock } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { isOwnAddress, providerType } from '../providers/index.js';
import type { OpenConnection } from './connection.js';
import { ConnectionStore } from './connection-store.js';
import { ConnectionsRepository } from './connections.repository.js';
import type { Access } from './flows/flow.js';
import { LoginFailed, LoginRefused } from './login-errors.js';
import { errorOfLogin, Logins } from './logins.js';

/** The provider whose subscription a call is made with. */
export interface SubscriptionProvider {
  tenantId: string;
  providerId: string;
  /** The record's name. */
  provider: string;
  type: string;
  origin: string;
  /** Of the base URL. */
  basePath: string;
}

/** What a call to a subscription is made with. */
export interface SubscriptionToken {
  connection: OpenConnection;
  access: Access;
  /** Where the call goes. */
  origin: string;
  basePath: string;
}

/** The tokens that calls are made with: from memory as long as they are good, else renewed by one process for all. */
@Injectable()
export class SubscriptionTokens {
  private readonly renewals = new Map<string, Promise<OpenConnection | null>>();

  constructor(
    private readonly store: ConnectionStore,
    private readonly repository: ConnectionsRepository,
    private readonly logins: Logins,
    private readonly guard: DestinationGuard,
    private readonly clock: ServerClock,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** @throws WeirError connection_not_enabled, connection_required, credential_unavailable, or as `errorOfLogin` */
  async take(provider: SubscriptionProvider): Promise<SubscriptionToken> {
    const { flow } = this.logins.of({ type: provider.type, baseUrl: baseUrlOf(provider) });
    const connection = this.store.find(provider.providerId);
    if (connection?.tenantId !== provider.tenantId || connection.origin !== provider.origin) throw required(provider, 'is not connected');
    if (connection.state !== 'connected') throw required(provider, WHY[connection.state]);
    if (!connection.access || this.endsWithin(connection.access, flow.renewAheadMs)) return this.renewed(provider, connection);
    return this.tokenOf(provider, connection, connection.access);
  }

  /** The provider refused it: another one. @throws as `take` */
  async renew(provider: SubscriptionProvider, { connection }: SubscriptionToken): Promise<SubscriptionToken> {
    return this.renewed(provider, { ...connection, access: null });
  }

  /** The provider refused it, and the one before: only its person can fix that. Answers what the client is told. */
  async expire(provider: SubscriptionProvider, { connection }: SubscriptionToken): Promise<WeirError> {
    try {
      if (await this.repository.end(connection, 'expired', 'refused_by_provider')) this.store.put(expired(connection));
    } catch (error) {
      this.log.error({ err: error, connection: connection.id }, 'a connection could not be marked as expired');
    }
    return required(provider, WHY.expired);
  }

  private async renewed(provider: SubscriptionProvider, known: OpenConnection): Promise<SubscriptionToken> {
    const renewed = await this.renewOnce(provider, known).catch((error: unknown) => {
      if (error instanceof LoginRefused) return expired(known);
      // The vendor cannot be asked: the token there is serves to its end.
      if (error instanceof LoginFailed && known.access && !this.endsWithin(known.access, 0)) return known;
      if (error instanceof LoginFailed || error instanceof WeirError) throw errorOfLogin(error, provider.provider);
      throw new WeirError('database_unavailable', { cause: error });
    });
    if (renewed) this.store.put(renewed);
    if (renewed?.state !== 'connected' || !renewed.access) throw required(provider, WHY[renewed?.state ?? 'pending']);
    return this.tokenOf(provider, renewed, renewed.access);
  }

  /** Calls of this process that want the same share one renewal. */
  private renewOnce(provider: SubscriptionProvider, known: OpenConnection): Promise<OpenConnection | null> {
    const key = `${known.id}:${known.renewal}`;
    const underWay = this.renewals.get(key);
    if (underWay) return underWay;
    const { flow, login } = this.logins.of({ type: provider.type, baseUrl: baseUrlOf(provider) });
    const renewal = this.repository
      .renew(known, (refreshToken) => flow.renew(login, refreshToken))
      .finally(() => this.renewals.delete(key));
    this.renewals.set(key, renewal);
    return renewal;
  }

  private endsWithin({ expiresAt }: Access, aheadMs: number): boolean {
    return expiresAt !== null && expiresAt - aheadMs <= this.clock.now();
  }

  /** Where the vendor wants this person's calls, if the provider is the vendor itself and the address is the vendor's. */
  private tokenOf(provider: SubscriptionProvider, connection: OpenConnection, access: Access): SubscriptionToken {
    const type = providerType(provider.type)!;
    const told = access.baseUrl !== null && isOwnAddress(type, baseUrlOf(provider)) ? this.addressIn(access.baseUrl, provider) : null;
    if (!told) return { connection, access, origin: provider.origin, basePath: provider.basePath };
    return { connection, access, origin: told.origin, basePath: told.pathname.replace(/\/$/, '') };
  }

  /** Null: it is nobody's the vendor would name. */
  private addressIn(text: string, provider: SubscriptionProvider): URL | null {
    if (!URL.canParse(text)) return null;
    const url = new URL(text);
    const { domains } = this.logins.of({ type: provider.type, baseUrl: baseUrlOf(provider) }).flow;
    const known = domains.some((domain) => url.hostname === domain || url.hostname.endsWith(`.${domain}`));
    if (!known && !this.guard.isAllowed(url)) return null;
    try {
      this.guard.checkUrl(url);
      return url;
    } catch (error) {
      if (error instanceof DestinationRefused) return null;
      throw error;
    }
  }
}

const baseUrlOf = ({ origin, basePath }: SubscriptionProvider): string => origin + basePath;

const expired = (connection: OpenConnection): OpenConnection => ({ ...connection, state: 'expired', access: null });

const WHY = {
  pending: 'is not connected yet',
  failed: 'is not connected: its login came to nothing',
  expired: 'is not connected any more: its login has expired',
  connected: 'is not connected',
} as const;

const required = ({ provider }: SubscriptionProvider, why: string): WeirError =>
  new WeirError('connection_required', {
    message: `The provider "${provider}" ${why}. An admin connects it by POST /v1/organization/providers/{id}/connection.`,
  });
