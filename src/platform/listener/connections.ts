import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { networkOf } from './addresses.js';

/** Stands for the address of all who come by one. */
const UNIX_SOCKET = 'unix';
const SWEEP_MS = 1_000;
/** A client gets a second more for each of these bytes that wait for it. */
const SLOWEST_BYTES_PER_SECOND = 16 * 1024;

export interface ConnectionLimits {
  /** Connections at a time. */
  max: number;
  /** Those of them that have not shown a valid key. */
  maxUnverified: number;
  /** How long a client may leave what is written to it unread. */
  stallMs(): number;
  /** A proxy's connections carry requests of many clients: they do not count as unverified. */
  isProxy(address: string): boolean;
}

/** The remote address and port, which a TLS socket shares with the one below it. Of a Unix socket, the socket. */
type ConnectionKey = string | Socket;

interface Connection {
  readonly key: ConnectionKey;
  socket: Socket;
  group: Group;
  /** Requests that are being answered. */
  requests: number;
  /** Since when it has not read all that was written to it; null: it has. */
  behindSince: number | null;
}

/** The connections of one owner, the oldest first. */
interface Group {
  readonly key: string;
  isVerified: boolean;
  members: Set<Connection>;
}

/**
 * The connections of a listener. When there are too many, the oldest idle one of whoever has the most is closed, so that one client cannot keep
 * others out. A client that does not read what it asked for is cut off.
 */
export class Connections {
  private readonly all = new Map<ConnectionKey, Connection>();
  private readonly groups = new Map<string, Group>();
  private unverified = 0;
  private crowded = 0;
  private slow = 0;

  constructor(
    private readonly server: Server,
    private readonly limits: ConnectionLimits,
  ) {
    server.on('connection', (socket: Socket) => this.open(socket));
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.begin(request, response));
    const sweep = setInterval(() => this.sweep(performance.now()), SWEEP_MS).unref();
    server.on('close', () => clearInterval(sweep));
  }

  get size(): number {
    return this.all.size;
  }

  /** Connections that were closed to make room for others. */
  get crowdedOut(): number {
    return this.crowded;
  }

  /** Connections that were closed because their client did not read. */
  get stalled(): number {
    return this.slow;
  }

  /** A valid key came on it. */
  verified(socket: Socket, owner: string): void {
    const connection = this.all.get(keyOf(socket));
    if (!connection || connection.group === this.groups.get(`key ${owner}`)) return;
    this.leave(connection);
    this.join(connection, this.groupOf(owner, true));
  }

  private open(socket: Socket): void {
    const remoteAddress = socket.remoteAddress ?? (this.isOfUnixSocket() ? UNIX_SOCKET : undefined);
    if (remoteAddress === undefined) return void socket.destroy(); // it is gone already
    const isProxy = this.limits.isProxy(remoteAddress);
    if (!this.hasRoom(isProxy)) {
      this.crowded++;
      return void socket.destroy();
    }
    const group = this.groupOf(isProxy ? remoteAddress : networkOf(remoteAddress), isProxy);
    const connection: Connection = { key: keyOf(socket), socket, group, requests: 0, behindSince: null };
    this.all.set(connection.key, connection);
    this.join(connection, group);
    socket.on('close', () => this.forget(connection));
  }

  private isOfUnixSocket(): boolean {
    return typeof this.server.address() === 'string';
  }

  private forget(connection: Connection): void {
    if (this.all.get(connection.key) !== connection) return;
    this.all.delete(connection.key);
    this.leave(connection);
  }

  private hasRoom(isProxy: boolean): boolean {
    const { max, maxUnverified } = this.limits;
    if (!isProxy && this.unverified >= maxUnverified) this.closeOneOf(false);
    return this.all.size < max || this.closeOneOf(false) || this.closeOneOf(true);
  }

  /** Closes the oldest connection of the owner with the most, an idle one where owners have shown valid keys. False: there is none. */
  private closeOneOf(isVerified: boolean): boolean {
    const groups = [...this.groups.values()].filter((group) => group.isVerified === isVerified);
    groups.sort((a, b) => b.members.size - a.members.size);
    for (const { members } of groups) {
      for (const connection of members) {
        if (isVerified && connection.requests > 0) continue;
        this.crowded++;
        this.forget(connection);
        connection.socket.destroy();
        return true;
      }
    }
    return false;
  }

  private groupOf(owner: string, isVerified: boolean): Group {
    const key = `${isVerified ? 'key' : 'network'} ${owner}`;
    let group = this.groups.get(key);
    if (!group) {
      group = { key, isVerified, members: new Set() };
      this.groups.set(key, group);
    }
    return group;
  }

  private join(connection: Connection, group: Group): void {
    connection.group = group;
    group.members.add(connection);
    if (!group.isVerified) this.unverified++;
  }

  private leave(connection: Connection): void {
    const { group } = connection;
    group.members.delete(connection);
    if (group.members.size === 0) this.groups.delete(group.key);
    if (!group.isVerified) this.unverified--;
  }

  private begin({ socket }: IncomingMessage, response: ServerResponse): void {
    const connection = this.all.get(keyOf(socket));
    if (!connection) return;
    connection.requests++;
    connection.socket = socket; // of TLS, the socket that answers are written to
    response.on('close', () => connection.requests--);
  }

  private sweep(now: number): void {
    for (const connection of this.all.values()) {
      const waiting = connection.socket.writableLength;
      if (waiting === 0) {
        connection.behindSince = null;
        continue;
      }
      connection.behindSince ??= now;
      if (now - connection.behindSince < this.limits.stallMs() + (waiting / SLOWEST_BYTES_PER_SECOND) * 1_000) continue;
      this.slow++;
      connection.socket.destroy();
    }
  }
}

const keyOf = (socket: Socket): ConnectionKey =>
  socket.remoteAddress === undefined ? socket : `${socket.remoteAddress}|${socket.remotePort}`;
