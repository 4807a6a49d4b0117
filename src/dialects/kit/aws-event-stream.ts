import { crc32 } from 'node:zlib';
import type { Frame } from '../dialect.js';
import { LongEvent } from './long-event.js';

/** Total length, headers' length and the CRC32 of both. */
const PRELUDE_BYTES = 12;
const CRC_BYTES = 4;
const MIN_FRAME_BYTES = PRELUDE_BYTES + CRC_BYTES;
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

/**
 * Finds whole frames in a stream of `application/vnd.amazon.eventstream`, cut anywhere. An event gives `:event-type` and its payload; an
 * exception `exception:<:exception-type>` and its payload; an error, which has no payload, `error:<:error-code>` and `{"message"}`.
 */
export class AwsEventStream {
  private readonly held = new LongEvent();
  private neededBytes = PRELUDE_BYTES;

  /** @throws when a checksum does not match or a length is impossible. */
  push(chunk: Buffer, visit: (frame: Frame) => void): void {
    if (chunk.length === 0) return;
    if (this.held.bytes + chunk.length < this.neededBytes) return this.held.add(chunk);
    let bytes = this.held.take(chunk);
    for (this.neededBytes = frameBytes(bytes); bytes.length >= this.neededBytes; this.neededBytes = frameBytes(bytes)) {
      visit(readFrame(bytes.subarray(0, this.neededBytes)));
      bytes = bytes.subarray(this.neededBytes);
    }
    this.held.add(bytes);
  }

  /** The input is over. @throws when it ended within a frame. */
  finish(_visit: (frame: Frame) => void): void {
    if (!this.held.isEmpty) throw new Error('the event stream ended within a frame');
  }
}

/** How many bytes the first frame takes, as far as they tell. */
function frameBytes(bytes: Buffer): number {
  if (bytes.length < PRELUDE_BYTES) return PRELUDE_BYTES;
  const total = bytes.readUInt32BE(0);
  if (crc32(bytes.subarray(0, 8)) !== bytes.readUInt32BE(8)) throw new Error('the prelude of an event stream frame is damaged');
  if (total < MIN_FRAME_BYTES || total > MAX_FRAME_BYTES) throw new Error(`an event stream frame of ${total} bytes is not allowed`);
  return total;
}

function readFrame(bytes: Buffer): Frame {
  const end = bytes.length - CRC_BYTES;
  if (crc32(bytes.subarray(0, end)) !== bytes.readUInt32BE(end)) throw new Error('an event stream frame is damaged');
  const payloadStart = PRELUDE_BYTES + bytes.readUInt32BE(4);
  if (payloadStart > end) throw new Error('the headers of an event stream frame are longer than the frame');
  const headers = readHeaders(bytes.subarray(PRELUDE_BYTES, payloadStart));
  const payload = bytes.toString('utf8', payloadStart, end);
  const type = headers.get(':message-type');
  switch (type) {
    case 'event':
      return { event: headers.get(':event-type') ?? null, data: payload };
    case 'exception':
      return { event: `exception:${headers.get(':exception-type') ?? ''}`, data: payload };
    case 'error':
      return {
        event: `error:${headers.get(':error-code') ?? ''}`,
        data: JSON.stringify({ message: headers.get(':error-message') ?? payload }),
      };
    default:
      throw new Error(`an event stream frame has the message type ${JSON.stringify(type)}`);
  }
}

const STRING = 7;

/** Bytes of a header's value by its type: true, false, byte, short, integer, long, -, -, timestamp, uuid. Types 6 and 7 tell their length. */
const VALUE_BYTES = [0, 0, 1, 2, 4, 8, null, null, 8, 16] as const;

/** The headers that are strings. @throws RangeError when they go past their end. */
function readHeaders(bytes: Buffer): Map<string, string> {
  const headers = new Map<string, string>();
  let at = 0;
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError('a header of an event stream frame goes past its end');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const name = take(take(1).readUInt8()).toString();
    const type = take(1).readUInt8();
    const fixed = VALUE_BYTES[type];
    if (fixed === undefined) throw new Error(`a header of an event stream frame has the type ${type}`);
    const value = take(fixed ?? take(2).readUInt16BE());
    if (type === STRING) headers.set(name, value.toString());
  }
  return headers;
}
