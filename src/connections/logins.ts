import { Inject, Injectable } from '@nestjs/common';
import { type ErrorCode, WeirError } from '../kernel/errors.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { Egress } from '../platform/egress/index.js';
import { ServerClock } from '../platform/postgres/index.js';
import { type ProviderType, providerType } from '../providers/index.js';
import { AuthorizationServer } from './authorization-server.js';
import type { Flow, LoginContext } from './flows/flow.js';
import { FLOWS } from './flows/index.js';
import { LoginFailed, LoginRefused } from './login-errors.js';

/** How a provider is logged in to, as its type and the operator's configuration say. */
@Injectable()
export class Logins {
  constructor(
    private readonly egress: Egress,
    private readonly clock: ServerClock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'connections'>,
  ) {}

  /** @throws WeirError invalid_request when it takes a key, connection_not_enabled */
  of({ type, baseUrl }: { type: string; baseUrl: string }): { flow: Flow; login: LoginContext; termsUrl: string } {
    const { subscription, slug } = this.enabled(type);
    const { clientId, loginOrigin } = this.config.connections[slug]!;
    const server = new AuthorizationServer(this.egress, loginOrigin);
    return {
      flow: FLOWS[subscription!.flow],
      login: { server, clientId, baseUrl, now: this.clock.now() },
      termsUrl: subscription!.termsUrl,
    };
  }

  /** @throws WeirError invalid_request, connection_not_enabled */
  enabled(slug: string): ProviderType {
    const type = providerType(slug)!;
    if (!type.subscription)
      throw new WeirError('invalid_request', { message: `A provider of type "${slug}" takes a key and cannot be connected by login.` });
    if (this.config.connections[slug]) return type;
    throw new WeirError('connection_not_enabled', {
      message: `Connections of type "${slug}" are off. An operator enables them with a client id in WEIR_CONNECTIONS. A subscription of a person is subject to the vendor's terms: ${type.subscription.termsUrl}`,
      fields: { terms_url: type.subscription.termsUrl },
    });
  }
}

const FAILURES: Readonly<Record<string, ErrorCode>> = {
  refused: 'destination_refused',
  timeout: 'upstream_timeout',
  unreachable: 'upstream_unreachable',
  interrupted: 'upstream_interrupted',
};

/** What is told of a login that went wrong on the vendor's side. Anything else is passed on as it is. */
export function errorOfLogin(error: unknown, provider: string): unknown {
  if (!(error instanceof LoginFailed || error instanceof LoginRefused)) return error;
  const code = (error instanceof LoginFailed && FAILURES[error.reason]) || 'upstream_error';
  return new WeirError(code, {
    message: `The login of the provider "${provider}" failed: ${error.reason}.`,
    cause: error.cause ?? error.reason,
  });
}
