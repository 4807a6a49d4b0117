import { Injectable } from '@nestjs/common';
import { ServerClock } from '../platform/postgres/index.js';
import type { ProviderRecord } from '../providers/index.js';
import { type Connection, SLOW_DOWN_SECONDS, stateAfter } from './connection.js';
import { ConnectionsRepository } from './connections.repository.js';
import type { DeviceLogin, TokenGrant } from './flows/flow.js';
import { LoginRefused } from './login-errors.js';
import { errorOfLogin, Logins } from './logins.js';

/** A login that was begun: what its person is shown. */
export interface StartedLogin extends Pick<DeviceLogin, 'userCode' | 'verificationUri'> {
  connection: Connection;
  termsUrl: string;
}

/** Connecting a provider by its person's login: begun, then asked for until the person has come. */
@Injectable()
export class ConnectionsService {
  constructor(
    private readonly repository: ConnectionsRepository,
    private readonly logins: Logins,
    private readonly clock: ServerClock,
  ) {}

  /** Instead of a connection that was there. @throws WeirError invalid_request, connection_not_enabled, or as `errorOfLogin` */
  async start(provider: ProviderRecord): Promise<StartedLogin> {
    const { flow, login, termsUrl } = this.logins.of(provider);
    const begun = await flow.start(login).catch((error) => {
      throw errorOfLogin(error, provider.name);
    });
    const connection = await this.repository.begin(provider, begun, this.now());
    return { connection, userCode: begun.userCode, verificationUri: begun.verificationUri, termsUrl };
  }

  /** Asks the vendor once, if it is time to. Null: nothing was begun. @throws WeirError connection_not_enabled, or as `errorOfLogin` */
  async poll(provider: ProviderRecord): Promise<Connection | null> {
    const { flow, login } = this.logins.of(provider);
    const connection = await this.find(provider);
    if (connection?.state !== 'pending') return connection;
    if (connection.deviceExpiresAt <= this.now()) await this.repository.end(connection, 'expired', 'expired_token');
    else {
      const device = await this.repository.claim(connection, this.now());
      const answer = device && (await flow.poll(login, device).catch((error: unknown) => refusalOf(error, provider)));
      if (answer) await this.note(connection, answer);
    }
    return this.find(provider);
  }

  find({ tenantId, id }: ProviderRecord): Promise<Connection | null> {
    return this.repository.find(tenantId!, id);
  }

  private async note(connection: Connection, answer: TokenGrant | LoginRefused | 'pending' | 'slow_down'): Promise<void> {
    if (answer === 'pending') return;
    if (answer === 'slow_down') return this.repository.slowDown(connection, connection.intervalSeconds + SLOW_DOWN_SECONDS, this.now());
    if (answer instanceof LoginRefused) await this.repository.end(connection, stateAfter(answer.reason), answer.reason);
    else await this.repository.connect(connection, answer, this.now());
  }

  private now(): Date {
    return new Date(this.clock.now());
  }
}

/** A refusal is an answer. @throws WeirError for what is none */
function refusalOf(error: unknown, { name }: ProviderRecord): LoginRefused {
  if (error instanceof LoginRefused) return error;
  throw errorOfLogin(error, name);
}
