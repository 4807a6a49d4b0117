import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';

const INTERIM = /^HTTP\/1\.[01] 1(?!01)\d\d[ \r]/;
/** What may become one. */
const BEGINNING = 'HTTP/1.1 1';
/** As long as all of what decides. */
const DECIDES = 'HTTP/1.1 100 '.length;
const HEAD_END = '\r\n\r\n';
/** undici refuses a longer head. */
const MAX_HEAD_BYTES = 16 * 1024;

/**
 * Drops interim responses, which may come before any response whether they were asked for or not (RFC 9110, 15.2). undici takes a 100 for a broken
 * connection, since it never asks for one, and has no option for it.
 */
export const withoutInterim =
  (connect: buildConnector.connector): buildConnector.connector =>
  (options, done) =>
    connect(options, (...[error, socket]) => {
      if (error) return done(error, null);
      dropInterim(socket);
      done(null, socket);
    });

/** A response begins with the first bytes that come after a request was written: undici writes one, and the next when the answer was read. */
function dropInterim(socket: Socket): void {
  let awaiting = false;
  let held: Buffer | null = null;
  const write = socket.write;
  const read = socket.read;
  socket.write = function (this: Socket, ...args: Parameters<Socket['write']>) {
    awaiting = true;
    return write.apply(this, args);
  } as Socket['write'];
  socket.read = function (this: Socket, size?: number) {
    const chunk = read.call(this, size) as Buffer | null;
    if (!awaiting || chunk === null) return chunk;
    const rest = afterInterim(held ? Buffer.concat([held, chunk]) : chunk);
    awaiting = rest.undecided;
    held = rest.undecided ? rest.bytes : null;
    return rest.undecided ? null : rest.bytes;
  };
}

/** @returns what follows the interim responses. `undecided`: it may be the beginning of another one. */
function afterInterim(bytes: Buffer): { bytes: Buffer; undecided: boolean } {
  let rest = bytes;
  for (;;) {
    const start = rest.toString('latin1', 0, DECIDES);
    if (start.length < DECIDES) return { bytes: rest, undecided: BEGINNING.startsWith(start.slice(0, BEGINNING.length)) };
    if (!INTERIM.test(start)) return { bytes: rest, undecided: false };
    const end = rest.indexOf(HEAD_END);
    if (end === -1) return { bytes: rest, undecided: rest.length <= MAX_HEAD_BYTES };
    rest = rest.subarray(end + HEAD_END.length);
  }
}
