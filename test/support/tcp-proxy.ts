import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** What a network does to the connections that run through a {@link TcpProxy}. */
export type Fault =
  /** Nothing. */
  | { kind: 'pass' }
  /** Every byte arrives this much later, in each direction. */
  | { kind: 'latency'; ms: number }
  /** Connections are accepted and stall, the open ones too; nothing is lost: what waits arrives when the fault ends. */
  | { kind: 'black-hole' }
  /** Each direction of each connection carries this much. */
  | { kind: 'bandwidth'; bytesPerSecond: number }
  /** Open connections are reset, and so is each new one. */
  | { kind: 'reset' }
  /** Nobody listens; open connections are reset. */
  | { kind: 'refuse' };

const PASS: Fault = { kind: 'pass' };
const MAX_WAITING_BYTES = 1024 * 1024;
const SLICES_PER_SECOND = 50;

/** A way to a server whose faults a test switches while connections are open. Its port stays the same, the server behind it may move. */
export class TcpProxy {
  private fault: Fault = PASS;
  private server: Server | null = null;
  private readonly links = new Set<Link>();
  private listenPort = 0;
  /** Connections accepted so far. */
  accepted = 0;
  /** The most connections that were open at once. */
  peak = 0;

  private constructor(private target: number) {}

  /** @param target a port of 127.0.0.1 */
  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await proxy.listen();
    return proxy;
  }

  get port(): number {
    return this.listenPort;
  }

  get hostPort(): string {
    return `127.0.0.1:${this.listenPort}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.links.size;
  }

  /** The server was started again elsewhere: new connections go there. */
  retarget(target: number): void {
    this.target = target;
  }

  /** Resolves when the fault is in force. */
  async set(fault: Fault): Promise<void> {
    this.fault = fault;
    if (fault.kind === 'refuse' || fault.kind === 'reset') this.resetAll();
    if (fault.kind === 'refuse') await this.close();
    else if (!this.server) await this.listen();
    for (const link of this.links) link.wake();
  }

  /** Resets every open connection once; new ones are treated as before. */
  resetAll(): void {
    for (const link of this.links) link.reset();
  }

  /** Every open connection stalls for good, as when a router forgets it: neither end is told. New ones are treated as before. */
  forgetAll(): void {
    for (const link of this.links) link.forgotten = true;
  }

  async stop(): Promise<void> {
    this.resetAll();
    await this.close();
  }

  private async listen(): Promise<void> {
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.accept(socket)).listen(
      this.listenPort,
      '127.0.0.1',
    );
    await once(this.server, 'listening');
    this.listenPort = (this.server.address() as AddressInfo).port;
  }

  private async close(): Promise<void> {
    const server = this.server;
    this.server = null;
    if (!server) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.resetAll(); // it waits for the open ones, and one may just have come
    await closed;
  }

  private accept(client: Socket): void {
    this.accepted++;
    if (this.fault.kind === 'reset') return void client.on('error', () => {}).resetAndDestroy();
    const link: Link = new Link(
      client,
      (): Fault => (link.forgotten ? { kind: 'black-hole' } : this.fault),
      () => connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }),
      () => this.links.delete(link),
    );
    this.links.add(link);
    this.peak = Math.max(this.peak, this.links.size);
    link.wake();
  }
}

/** One connection: two sockets and what is under way between them. */
class Link {
  forgotten = false;
  private server: Socket | null = null;
  private lanes: Lane[] = [];
  /** A side has gone without saying goodbye. */
  private broken = false;
  private over = false;

  constructor(
    private readonly client: Socket,
    private readonly fault: () => Fault,
    private readonly dial: () => Socket,
    private readonly onOver: () => void,
  ) {
    client.pause();
    this.watch(client);
  }

  /** The fault changed: goes on as it allows now. The server is dialled only once it allows that. */
  wake(): void {
    if (this.over || this.fault().kind === 'black-hole') return;
    if (this.broken) return this.reset();
    if (!this.server) this.join(this.dial());
    for (const lane of this.lanes) lane.pump();
  }

  reset(): void {
    if (this.over) return;
    for (const lane of this.lanes) lane.stop();
    for (const socket of [this.client, this.server]) if (socket) cutOff(socket);
    this.end();
  }

  private join(server: Socket): void {
    this.server = server;
    this.watch(server);
    this.lanes = [new Lane(this.client, server, this.fault), new Lane(server, this.client, this.fault)];
    this.client.resume();
  }

  private watch(socket: Socket): void {
    socket.on('error', () => {});
    socket.on('close', (hadError) => {
      if (hadError) this.broken = true;
      if (this.client.destroyed && (this.server?.destroyed ?? true)) this.end();
      else this.wake();
    });
  }

  private end(): void {
    if (this.over) return;
    this.over = true;
    this.onOver();
  }
}

/** Node cannot reset a socket that has said its goodbye already, and would leave it open for good. */
function cutOff(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** One direction of a connection. */
class Lane {
  private readonly waiting: { dueAt: number; data: Buffer }[] = [];
  private waitingBytes = 0;
  private ended = false;
  private timer: NodeJS.Timeout | null = null;
  /** The end of what was sent has been passed on. */
  done = false;

  constructor(
    readonly from: Socket,
    readonly to: Socket,
    private readonly fault: () => Fault,
  ) {
    from.on('data', (data) => this.take(data));
    from.on('end', () => {
      this.ended = true;
      this.pump();
    });
    to.on('drain', () => this.pump());
  }

  stop(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.waiting.length = 0;
  }

  /** Passes on what may go now. */
  pump(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    while (this.waiting.length > 0) {
      const fault = this.fault();
      const { dueAt, data } = this.waiting[0]!;
      if (fault.kind === 'black-hole' || this.to.writableNeedDrain) return;
      const waitMs = fault.kind === 'latency' ? dueAt - performance.now() : 0;
      if (waitMs > 0) return this.later(waitMs);
      const most = fault.kind === 'bandwidth' ? Math.max(1, Math.floor(fault.bytesPerSecond / SLICES_PER_SECOND)) : data.length;
      this.pass(data.subarray(0, most), data.subarray(most), dueAt);
      if (fault.kind === 'bandwidth') return this.later(1_000 / SLICES_PER_SECOND);
    }
    if (this.ended && !this.done && this.fault().kind !== 'black-hole') {
      this.done = true;
      this.to.end();
    }
  }

  private take(data: Buffer): void {
    const fault = this.fault();
    this.waiting.push({ dueAt: performance.now() + (fault.kind === 'latency' ? fault.ms : 0), data });
    this.waitingBytes += data.length;
    if (this.waitingBytes > MAX_WAITING_BYTES) this.from.pause();
    if (!this.timer) this.pump();
  }

  private pass(data: Buffer, rest: Buffer, dueAt: number): void {
    if (rest.length > 0) this.waiting[0] = { dueAt, data: rest };
    else this.waiting.shift();
    this.waitingBytes -= data.length;
    if (this.waitingBytes <= MAX_WAITING_BYTES) this.from.resume();
    if (!this.to.destroyed) this.to.write(data);
  }

  private later(ms: number): void {
    this.timer = setTimeout(() => this.pump(), ms);
  }
}
