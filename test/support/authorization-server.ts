import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface TokenRequest {
  method: string;
  path: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
  form: Record<string, string>;
}

type TokenScript = (request: TokenRequest, response: ServerResponse) => void;

/** Gives out tokens on loopback, `token-1` first, and keeps a log of who asked. */
export class AuthorizationServer {
  readonly requests: TokenRequest[] = [];
  script: TokenScript = this.giveToken();
  private readonly server = createServer((request, response) => void this.take(request, response));

  static async start(): Promise<AuthorizationServer> {
    const server = new AuthorizationServer();
    await new Promise<void>((resolve) => server.server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get hostPort(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.hostPort}`;
  }

  /** Forgets its log and gives out tokens again. */
  reset(): void {
    this.requests.length = 0;
    this.script = this.giveToken();
  }

  giveToken(): TokenScript {
    return (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ access_token: `token-${this.requests.length}`, token_type: 'Bearer', expires_in: 3_600 }));
    };
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const taken = {
      method: request.method!,
      path: request.url!,
      headers: request.headers,
      body,
      form: Object.fromEntries(new URLSearchParams(body)),
    };
    this.requests.push(taken);
    this.script(taken, response);
  }
}
