import { crc32 } from 'node:zlib';

export type HeaderValue = [type: number, bytes: Buffer];

export const text = (value: string): HeaderValue => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return [7, Buffer.concat([length, bytes])];
};

/** One frame of an AWS event stream as a provider writes it. */
export function frame(headers: Record<string, HeaderValue>, payload: string): Buffer {
  const headerBytes = Buffer.concat(
    Object.entries(headers).map(([name, [type, value]]) =>
      Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([type]), value]),
    ),
  );
  const payloadBytes = Buffer.from(payload);
  const bytes = Buffer.alloc(16 + headerBytes.length + payloadBytes.length);
  bytes.writeUInt32BE(bytes.length, 0);
  bytes.writeUInt32BE(headerBytes.length, 4);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 8)), 8);
  headerBytes.copy(bytes, 12);
  payloadBytes.copy(bytes, 12 + headerBytes.length);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, bytes.length - 4)), bytes.length - 4);
  return bytes;
}

export const event = (type: string, payload: string): Buffer =>
  frame({ ':message-type': text('event'), ':event-type': text(type), ':content-type': text('application/json') }, payload);
