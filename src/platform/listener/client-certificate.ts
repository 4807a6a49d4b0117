import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

const known = new WeakMap<Socket, string | null>();

/** The SHA-256 fingerprint, in hex, of the client certificate of a connection that TLS has verified; null: there is none. */
export function certificateOf(socket: Socket): string | null {
  let fingerprint = known.get(socket);
  if (fingerprint === undefined) {
    const { authorized, getPeerX509Certificate } = socket as Partial<TLSSocket>;
    const certificate = authorized === true ? getPeerX509Certificate?.call(socket as TLSSocket) : undefined;
    fingerprint = certificate?.fingerprint256.replaceAll(':', '').toLowerCase() ?? null;
    known.set(socket, fingerprint);
  }
  return fingerprint;
}
