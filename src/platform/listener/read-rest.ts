import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';

/** After an answer, the rest of its request is awaited for as long as this. */
const MAX_MS = 30_000;

/**
 * Reads the rest of a request that is answered before all of it came, and throws it away. A connection that is closed with bytes unread is reset:
 * then its client finds no answer, only that it cannot write on. Call before the answer is written.
 */
export function readRest(request: IncomingMessage): void {
  if (request.complete) return;
  const { socket } = request;
  request.unpipe().resume();
  // Node calls this once the answer of a connection that is to be closed is written.
  socket.destroySoon = () => {
    const close = () => Socket.prototype.destroySoon.call(socket);
    if (request.complete) return close();
    request.on('end', close);
    socket.end();
    closeInTime(socket);
  };
}

/** Ends a connection whose request Node cannot read with an answer, and throws away what comes after. */
export function endWith(socket: Socket, answer: string): void {
  socket.removeAllListeners('data').on('data', () => {});
  socket.end(answer);
  closeInTime(socket);
}

function closeInTime(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), MAX_MS).unref();
  socket.on('close', () => clearTimeout(timer));
}
