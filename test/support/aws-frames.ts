import { crc32 } from 'node:zlib';

export type HeaderValue = [type: number, bytes: Buffer];

export const text = (value: string): HeaderValue => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return [7, Buffer.concat([length, bytes])];
};

/** An AWS frame of these headers, as they lie in the frame. */
export function awsFrame(headers: Buffer, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(16 + headers.length + payload.length);
  bytes.writeUInt32BE(bytes.length, 0);
  bytes.writeUInt32BE(headers.length, 4);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 8)), 8);
  headers.copy(bytes, 12);
  payload.copy(bytes, 12 + headers.length);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, bytes.length - 4)), bytes.length - 4);
  return bytes;
}

/** One frame of an AWS event stream as a provider writes it. */
export function frame(headers: Record<string, HeaderValue>, payload: string): Buffer {
  const parts = Object.entries(headers).map(([name, [type, value]]) =>
    Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([type]), value]),
  );
  return awsFrame(Buffer.concat(parts), Buffer.from(payload));
}

/** A frame with headers that are texts. */
export const awsEvent = (headers: Record<string, string>, payload: string): Buffer =>
  frame(Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, text(value)])), payload);

export const event = (type: string, payload: string): Buffer =>
  awsEvent({ ':message-type': 'event', ':event-type': type, ':content-type': 'application/json' }, payload);
