import { createConnection, type Socket } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = '0\r\n\r\n';
const STATUS_AT = 'HTTP/1.1 '.length;

/** Told how a call went: how long it took until the last byte, in ms, and its HTTP status, 0 when the connection broke. */
export type Answered = (milliseconds: number, status: number) => void;

/**
 * One caller: a kept connection that sends the same bytes again and again, one call at a time. Reads just enough HTTP to know where an answer
 * ends, so that the load generator takes as little as possible of the core it shares.
 */
export class Caller {
  private socket: Socket | null = null;
  private answered: Answered | null = null;
  private sentAt = 0;
  private status = 0;
  /** Bytes of the answer still to come; null before its head; NaN when chunks tell the end. */
  private left: number | null = null;
  private start: Buffer | null = null;
  private ending = '';

  constructor(
    private readonly port: number,
    private readonly request: Buffer,
  ) {}

  get busy(): boolean {
    return this.answered !== null;
  }

  /** Sends a call; the one before must have been answered. */
  call(answered: Answered): void {
    this.answered = answered;
    this.left = null;
    this.ending = '';
    this.socket ??= this.connect();
    this.sentAt = performance.now();
    this.socket.write(this.request);
  }

  close(): void {
    this.socket?.removeAllListeners('close').end();
  }

  private connect(): Socket {
    const socket = createConnection({ port: this.port, host: '127.0.0.1', noDelay: true });
    socket.on('data', (chunk) => this.read(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.socket = null;
      this.finish(0);
    });
    return socket;
  }

  private read(chunk: Buffer): void {
    const body = this.left === null ? this.readHead(chunk) : chunk;
    if (body === null || this.left === null) return;
    if (Number.isNaN(this.left)) {
      this.ending = (this.ending + body.toString('latin1', Math.max(0, body.length - LAST_CHUNK.length))).slice(-LAST_CHUNK.length);
      if (this.ending === LAST_CHUNK) this.finish(this.status);
      return;
    }
    this.left -= body.length;
    if (this.left <= 0) this.finish(this.status);
  }

  /** Answers what follows the head; null while the head is not whole. */
  private readHead(chunk: Buffer): Buffer | null {
    const bytes = this.start ? Buffer.concat([this.start, chunk]) : chunk;
    const end = bytes.indexOf(HEAD_END);
    this.start = end === -1 ? bytes : null;
    if (end === -1) return null;
    const head = bytes.toString('latin1', 0, end);
    this.status = Number(head.slice(STATUS_AT, STATUS_AT + 3));
    this.left = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? Number.NaN);
    return bytes.subarray(end + HEAD_END.length);
  }

  private finish(status: number): void {
    const answered = this.answered;
    this.answered = null;
    answered?.(performance.now() - this.sentAt, status);
  }
}
