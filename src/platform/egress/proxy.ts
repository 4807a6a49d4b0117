import { connect, isIPv6, type Socket } from 'node:net';
import { buildConnector } from 'undici';
import type { ProxyAddress } from '../config/index.js';
import { isThisMachine } from '../listener/addresses.js';
import type { Logger } from '../telemetry/index.js';
import type { DestinationGuard } from './destination.js';

/** The proxy stood in the way, so nothing was sent. The message says what it did, and never what it was shown. */
class ProxyFailed extends Error {
  constructor(
    what: string,
    readonly status: number | null = null,
    cause?: unknown,
  ) {
    super(`the egress proxy ${what}`, { cause });
  }
}

const MAX_HEAD_BYTES = 16 * 1024;
const AUTHENTICATION_REQUIRED = 407;

/** Makes connections through the deployment's HTTP proxy, by CONNECT (RFC 9110, 9.3.6). Its own address is not held against the guard. */
export class ProxyConnector {
  private secure!: buildConnector.connector;

  /** @param timeoutMs from looking the name up to the end of the TLS handshake. */
  constructor(
    private proxy: ProxyAddress,
    private readonly guard: DestinationGuard,
    private timeoutMs: number,
    private readonly log: Logger,
  ) {
    this.use(proxy, timeoutMs);
  }

  /** For connections that are made from now on. */
  use(proxy: ProxyAddress, timeoutMs: number): void {
    this.proxy = proxy;
    this.timeoutMs = timeoutMs;
    this.secure = buildConnector({ timeout: timeoutMs, allowH2: false });
  }

  /**
   * For connections to one origin. The proxy is told an address that the guard has accepted, never a name: what a name means is decided here,
   * once. Addresses of this machine are connected directly, since at the proxy they would be those of another one.
   */
  to(origin: URL): buildConnector.connector {
    return (options, done) => {
      const attempt = new TunnelAttempt();
      const deadline = setTimeout(() => attempt.giveUp(attempt.tooLate()), this.timeoutMs);
      attempt
        .outcome(this.open(origin, options, attempt))
        .finally(() => clearTimeout(deadline))
        .then(
          (socket) => done(null, socket),
          (error: Error) => {
            attempt.giveUp(error);
            if (error instanceof ProxyFailed) this.log.warn({ origin: origin.origin, cause: causeOf(error) }, error.message);
            done(error, null);
          },
        );
    };
  }

  private async open(origin: URL, options: buildConnector.Options, attempt: TunnelAttempt): Promise<Socket> {
    const socket = await this.reach(await this.guard.addressesOf(origin), Number(options.port || DEFAULT_PORTS[options.protocol]), attempt);
    if (options.protocol !== 'https:') return socket;
    return new Promise((resolve, reject) => {
      this.secure({ ...options, httpSocket: socket }, (...[error, secured]) => (error ? reject(error) : resolve(secured)));
    });
  }

  /** Tries the addresses in turn: which of them the proxy reaches, only trying tells. */
  private async reach(addresses: readonly string[], port: number, attempt: TunnelAttempt): Promise<Socket> {
    let failure: unknown;
    for (const address of addresses) {
      try {
        return await (isThisMachine(address) ? opened(attempt, address, port) : this.tunnel(address, port, attempt));
      } catch (error) {
        failure = error;
        if (attempt.isOver || (error instanceof ProxyFailed && error.status === AUTHENTICATION_REQUIRED)) break;
      }
    }
    throw failure;
  }

  private async tunnel(address: string, port: number, attempt: TunnelAttempt): Promise<Socket> {
    const { host, port: proxyPort, authorization } = this.proxy;
    attempt.isAtProxy = true;
    const socket = await opened(attempt, host, proxyPort).catch((error) => {
      throw new ProxyFailed('cannot be reached', null, error);
    });
    const authority = `${isIPv6(address) ? `[${address}]` : address}:${port}`;
    const shown = authorization ? `proxy-authorization: ${authorization.reveal()}\r\n` : '';
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${shown}\r\n`);
    const status = await answerOf(socket);
    if (status >= 200 && status < 300) {
      attempt.isAtProxy = false;
      return socket;
    }
    socket.destroy();
    const advice = status === AUTHENTICATION_REQUIRED ? ': check the user and password in WEIR_EGRESS_PROXY' : '';
    throw new ProxyFailed(`answered ${status}${advice}`, status);
  }
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'https:': 443, 'http:': 80 };

/** One connection that is being made, and may be given up. */
class TunnelAttempt {
  isOver = false;
  /** What is waited for is the proxy, and not a name or the destination. */
  isAtProxy = false;
  private socket: Socket | null = null;
  private readonly given = Promise.withResolvers<never>();

  /** What becomes of it, at the latest when it is given up. */
  outcome(work: Promise<Socket>): Promise<Socket> {
    return Promise.race([work, this.given.promise]);
  }

  tooLate(): Error {
    return this.isAtProxy ? new ProxyFailed('did not connect in time') : new Error('not connected in time');
  }

  giveUp(error: Error): void {
    this.isOver = true;
    this.socket?.destroy();
    this.given.reject(error);
  }

  /** @throws when it was given up already. */
  use(open: () => Socket): Socket {
    if (this.isOver) throw new Error('given up');
    this.socket = open();
    return this.socket;
  }
}

async function opened(attempt: TunnelAttempt, host: string, port: number): Promise<Socket> {
  const socket = attempt.use(() => connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }));
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
  return socket.on('error', () => {});
}

/** The status of the answer to CONNECT. What follows its head is the destination's, which does not speak first. @throws ProxyFailed */
function answerOf(socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    let head = '';
    const settle = (act: () => void) => {
      socket.off('readable', read).off('close', close);
      act();
    };
    const fail = (what: string) => {
      settle(() => reject(new ProxyFailed(what)));
      socket.destroy();
    };
    const close = () => fail('closed the connection without an answer');
    const read = () => {
      for (let piece = socket.read(); piece !== null; piece = socket.read()) head += piece.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end === -1 && head.length <= MAX_HEAD_BYTES) return;
      const status = /^HTTP\/1\.[01] (\d{3})(?: |\r)/.exec(head)?.[1];
      if (end === -1 || status === undefined) return fail('sent an invalid response');
      if (status.startsWith('2') && head.length > end + 4) return fail('sent data before the destination did');
      settle(() => resolve(Number(status)));
    };
    socket.on('readable', read).on('close', close);
  });
}

/** Of several addresses that all failed, Node's message is empty. */
function causeOf({ cause }: Error): string | undefined {
  const { message, code } = (cause ?? {}) as NodeJS.ErrnoException;
  return message || code;
}
