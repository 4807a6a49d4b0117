import type { IncomingMessage } from 'node:http';
import { Transform } from 'node:stream';
import { WeirError } from '../../kernel/errors.js';
import { announcedBytes } from '../../platform/listener/index.js';

/** The largest file that a vendor takes in one request. */
const MAX_BYTES = 512 * 1024 * 1024;

/**
 * The body of a request, on its way: read as fast as the provider takes it. Null: it has none.
 * @param onPiece something of it came.
 * @throws WeirError request_too_large
 */
export function bodyOf(request: IncomingMessage, onPiece: () => void): Transform | null {
  const announced = announcedBytes(request);
  if (announced === 0) return null;
  if (Number.isFinite(announced) && announced > MAX_BYTES) throw tooLarge();
  let bytes = 0;
  const body = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) return done(tooLarge());
      onPiece();
      done(null, chunk);
    },
  });
  // It reaches the attempt by the request that it breaks.
  body.on('error', () => {});
  request.on('close', () => {
    if (!request.complete) body.destroy(new Error('the client left before its request was whole'));
  });
  return request.pipe(body);
}

const tooLarge = (): WeirError =>
  new WeirError('request_too_large', { message: `The body is larger than ${MAX_BYTES / 1024 / 1024} MiB. Send it in parts.` });
