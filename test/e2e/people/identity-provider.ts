import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

/** What the provider says of a person, by the account. */
export type Accounts = Record<string, { email?: string; email_verified?: boolean; groups?: string[]; name?: string }>;

/** A real OpenID provider on this machine. Whoever is sent to it is signed in as `account`, without a page in between. */
export class TestIdentityProvider {
  account = '';
  private constructor(
    private readonly server: Server,
    readonly issuer: string,
    readonly hostPort: string,
  ) {}

  static async start(): Promise<TestIdentityProvider> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const hostPort = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    return new TestIdentityProvider(server, `http://${hostPort}`, hostPort);
  }

  /** Opens it for one client. */
  open(accounts: Accounts, redirectUri: string): void {
    const client = { client_id: 'weir', client_secret: 'the secret of weir', redirect_uris: [redirectUri] };
    // It warns that it keeps everything in memory, which is what is wanted here.
    jest.spyOn(console, 'warn').mockImplementation(() => {});
    const provider = new Provider(this.issuer, {
      clients: [client],
      claims: { openid: ['sub', 'groups'], email: ['email', 'email_verified'], profile: ['name'] },
      conformIdTokenClaims: false,
      findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id, ...accounts[id] }) }),
      pkce: { required: () => true },
      features: { devInteractions: { enabled: false } },
      interactions: { url: () => '/interaction' },
      cookies: { keys: ['a key of the test'] },
      ttl: { Interaction: 60, Session: 60, Grant: 60, AccessToken: 60, IdToken: 60 },
      renderError: (context: { body: unknown }, out: object) => {
        context.body = JSON.stringify(out);
      },
    });
    const callback = provider.callback();
    this.server.on('request', async (request, response) => {
      if (request.url !== '/interaction') return callback(request, response);
      const { params, prompt } = await provider.interactionDetails(request, response);
      if (prompt.name === 'login') return provider.interactionFinished(request, response, { login: { accountId: this.account } });
      const grant = new provider.Grant({ accountId: this.account, clientId: String(params['client_id']) });
      grant.addOIDCScope('openid email profile');
      return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
    });
  }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}
