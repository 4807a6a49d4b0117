import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LoginRequest {
  /** E.g. `POST /oauth/token`. */
  route: string;
  headers: IncomingHttpHeaders;
  /** Of a form or of JSON. */
  fields: Record<string, string>;
}

type Answer = [status: number, body: object | string];

/** A vendor's login on loopback that does what each test tells it, and keeps its own log. */
export class LoginServer {
  readonly asked: LoginRequest[] = [];
  /** By route. */
  script: Record<string, (request: LoginRequest) => Answer | Promise<Answer>> = {};
  private readonly server = createServer((request, response) => void this.take(request, response));

  static async start(): Promise<LoginServer> {
    const login = new LoginServer();
    await new Promise<void>((resolve) => login.server.listen(0, '127.0.0.1', resolve));
    return login;
  }

  get hostPort(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Requests of one route so far. */
  of(route: string): LoginRequest[] {
    return this.asked.filter((request) => request.route === route);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const piece of incoming) chunks.push(piece as Buffer);
    const request = { route: `${incoming.method} ${incoming.url}`, headers: incoming.headers, fields: fieldsOf(incoming, chunks) };
    this.asked.push(request);
    const [status, body] = (await this.script[request.route]?.(request)) ?? [404, {}];
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  }
}

function fieldsOf({ headers }: IncomingMessage, chunks: Buffer[]): Record<string, string> {
  const text = Buffer.concat(chunks).toString();
  if (text === '') return {};
  return headers['content-type'] === 'application/json' ? JSON.parse(text) : Object.fromEntries(new URLSearchParams(text));
}
