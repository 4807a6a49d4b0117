import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What the proxy does with a CONNECT: makes the connection, answers so and ends, or as it says. */
export type Answering = 'connect' | 'close' | 'reset' | 'silent' | { reply: string };

/** An HTTP proxy on loopback that knows CONNECT, does what each test tells it, and keeps all it was told. */
export class ConnectProxy {
  /** The heads of the requests, whole. */
  readonly heads: string[] = [];
  /** What clients sent through. */
  passed = Buffer.alloc(0);
  /** By the authority asked for. */
  answering: (authority: string) => Answering = () => 'connect';
  /** Where an authority is, as `host:port`. Without an entry: where it says. */
  readonly routes = new Map<string, string>();
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((client) => this.accept(client));

  static async start(): Promise<ConnectProxy> {
    const proxy = new ConnectProxy();
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The first line of each request, without the version. */
  get asked(): string[] {
    return this.heads.map((head) => head.slice(0, head.indexOf(' HTTP/1.1')));
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(client: Socket): void {
    this.keep(client);
    let head = '';
    const read = (chunk: Buffer) => {
      head += chunk.toString('latin1');
      if (!head.endsWith('\r\n\r\n')) return;
      client.off('data', read);
      this.heads.push(head);
      this.take(client, /^CONNECT (\S+) /.exec(head)?.[1] ?? '');
    };
    client.on('data', read);
  }

  private take(client: Socket, authority: string): void {
    const answering = this.answering(authority);
    if (answering === 'silent') return void client.resume();
    if (answering === 'close') return void client.end();
    if (answering === 'reset') return void client.resetAndDestroy();
    if (typeof answering === 'object') return void client.end(answering.reply);
    const [, host, port] = /^(.*):(\d+)$/.exec(this.routes.get(authority) ?? authority)!;
    const server = connect(Number(port), host!, () => {
      client.write('HTTP/1.1 200 Connection established\r\nvia: a proxy\r\n\r\n');
      client.on('data', (chunk) => (this.passed = Buffer.concat([this.passed, chunk])));
      client.pipe(server).pipe(client);
    });
    this.keep(server);
    server.on('close', () => client.destroy());
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => {}).on('close', () => this.sockets.delete(socket));
  }
}
