import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';

/** How a name server treats what it is asked. */
export type Naming =
  | { kind: 'answer'; afterMs: number }
  /** No name exists. */
  | { kind: 'no-such-name' }
  /** It cannot say: what is behind it is down. */
  | { kind: 'fail' }
  | { kind: 'silent' };

const HEADER_BYTES = 12;
const RESPONSE = 0x8180;
const CODES = { answer: 0, fail: 2, 'no-such-name': 3, silent: 0 };
const A = 1;

/** A DNS server on loopback that knows every name as 127.0.0.1, and fails as it is told. */
export class NameServer {
  naming: Naming = { kind: 'answer', afterMs: 0 };
  asked = 0;

  private constructor(private readonly socket: Socket) {
    socket.on('message', (query, { port, address }) => {
      this.asked++;
      const { naming } = this;
      if (naming.kind === 'silent') return;
      const reply = replyTo(query, naming);
      setTimeout(() => socket.send(reply, port, address), naming.kind === 'answer' ? naming.afterMs : 0);
    });
  }

  static async start(): Promise<NameServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new NameServer(socket);
  }

  /** Environment of a process that resolves names here: a test cannot change /etc/resolv.conf, which is all the system's own resolver reads. */
  get environment(): Record<string, string> {
    return {
      NODE_OPTIONS: `--require=${join(__dirname, 'ask-name-server.cjs')}`,
      ASK_NAME_SERVER: `127.0.0.1:${this.socket.address().port}`,
    };
  }

  stop(): void {
    this.socket.close();
  }
}

function replyTo(query: Buffer, { kind }: Naming): Buffer {
  const end = query.indexOf(0, HEADER_BYTES) + 5; // the name, its type and class
  const isAddress = query.readUInt16BE(end - 4) === A;
  const answers = kind === 'answer' && isAddress ? 1 : 0;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  header.writeUInt16BE(RESPONSE | CODES[kind], 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers, 6);
  const address = Buffer.from([0xc0, HEADER_BYTES, 0, A, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
  return Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...(answers ? [address] : [])]);
}
