import type { IncomingMessage } from 'node:http';
import { WeirError } from '../../kernel/errors.js';

const DECIMAL = /^\d{1,15}$/;

/** Bytes that the head of a request announces; 0 when it has no body, infinite when it does not say how long it is. */
export function announcedBytes({ headers }: IncomingMessage): number {
  if (headers['transfer-encoding'] !== undefined) return Number.POSITIVE_INFINITY;
  const length = headers['content-length'];
  return length === undefined ? 0 : DECIMAL.test(length) ? Number(length) : Number.POSITIVE_INFINITY;
}

/**
 * Reads a body whole.
 * @param refusalOf asked before a piece is kept; not null: why the body is not read on.
 * @param done gets the body, or a WeirError: request_too_large, overloaded, invalid_request.
 */
export function readBody(
  request: IncomingMessage,
  limit: number,
  refusalOf: (chunk: Buffer) => WeirError | null,
  done: (error: WeirError | null, body?: Buffer) => void,
): void {
  const announced = announcedBytes(request);
  if (Number.isFinite(announced) && announced > limit) return done(new WeirError('request_too_large'));
  const chunks: Buffer[] = [];
  let bytes = 0;
  const end = (error: WeirError | null) => {
    request.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut);
    if (error) done(error);
    else done(null, Buffer.concat(chunks, bytes));
  };
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limit) return end(new WeirError('request_too_large'));
    const refusal = refusalOf(chunk);
    if (refusal) return end(refusal);
    chunks.push(chunk);
  };
  const onEnd = () =>
    end(Number.isFinite(announced) && announced !== bytes ? new WeirError('invalid_request', { message: WRONG_LENGTH }) : null);
  const onCut = () => end(new WeirError('invalid_request', { message: 'The request body was not received whole.' }));
  request.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut);
}

const WRONG_LENGTH = 'The request body is not as long as its Content-Length header says.';
