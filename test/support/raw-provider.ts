import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as the provider saw it. */
export interface RawCall {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

/** Answers a request. It reads the body itself, or has it read by {@link RawProvider.read}. */
export type RawScript = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** A provider on loopback that is asked by any method and path, and answers what each test tells it. */
export class RawProvider {
  readonly calls: RawCall[] = [];
  script: RawScript;
  private readonly server;

  private constructor() {
    this.script = this.answer(200, { ok: true });
    this.server = createServer((request, response) => void this.script(request, response));
  }

  static async start(): Promise<RawProvider> {
    const provider = new RawProvider();
    await new Promise<void>((resolve) => provider.server.listen(0, '127.0.0.1', resolve));
    return provider;
  }

  get hostPort(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get origin(): string {
    return `http://${this.hostPort}`;
  }

  /** Reads a request whole, and notes it. */
  async read(request: IncomingMessage): Promise<RawCall> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const call = { method: request.method!, path: request.url!, headers: request.headers, body: Buffer.concat(chunks) };
    this.calls.push(call);
    return call;
  }

  answer(status: number, body: object | string, headers: Record<string, string | string[]> = {}): RawScript {
    return async (request, response) => {
      await this.read(request);
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
