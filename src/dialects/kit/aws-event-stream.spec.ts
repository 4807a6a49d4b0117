import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { event, frame, type HeaderValue, text } from '../../../test/support/aws-frames.js';
import type { Frame } from '../dialect.js';
import { AwsEventStream } from './aws-event-stream.js';

/** What is read when the bytes arrive in these chunks. */
function framesOf(chunks: Buffer[]): Frame[] {
  const frames: Frame[] = [];
  const stream = new AwsEventStream();
  for (const chunk of chunks) stream.push(chunk, (one) => frames.push(one));
  stream.finish((one) => frames.push(one));
  return frames;
}

function cut(bytes: Buffer, at: number[]): Buffer[] {
  const points = [...new Set(at.map((point) => point % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...points].map((start, index) => bytes.subarray(start, points[index] ?? bytes.length));
}

const sized = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));

const someFrames = fc.array(fc.record({ event: fc.string({ minLength: 1, maxLength: 20 }), data: fc.string({ unit: 'grapheme' }) }), {
  minLength: 1,
  maxLength: 5,
});
const written = (frames: { event: string; data: string }[]): Buffer => Buffer.concat(frames.map((one) => event(one.event, one.data)));

test('frames are the same however the bytes are cut', () => {
  fc.assert(
    fc.property(someFrames, fc.array(fc.nat(), { maxLength: 8 }), (frames, points) => {
      expect(framesOf(cut(written(frames), points))).toEqual(frames);
    }),
    { numRuns: 1_000 },
  );
});

test.each([1, 2, 3, 7, 16])('frames are the same in pieces of %d bytes', (size) => {
  const frames = [
    { event: 'contentBlockDelta', data: '{"delta":{"text":"äöü 你好 🙂"}}' },
    { event: 'messageStop', data: '{"stopReason":"end_turn"}' },
  ];
  expect(framesOf(sized(written(frames), size))).toEqual(frames);
});

test('any bit that is changed is noticed', () => {
  fc.assert(
    fc.property(someFrames, fc.nat(), fc.integer({ min: 0, max: 7 }), (frames, at, bit) => {
      const bytes = written(frames);
      bytes[at % bytes.length]! ^= 1 << bit;
      expect(() => framesOf([bytes])).toThrow();
    }),
    { numRuns: 1_000 },
  );
});

test('a stream that ends within a frame is an error, and what came before it is kept', () => {
  const bytes = Buffer.concat([event('a', '1'), event('b', '2')]);
  const frames: Frame[] = [];
  const stream = new AwsEventStream();
  stream.push(bytes.subarray(0, -1), (one) => frames.push(one));
  expect(frames).toEqual([{ event: 'a', data: '1' }]);
  expect(() => stream.finish(() => {})).toThrow('within a frame');
});

test('exceptions and errors are told apart from events', () => {
  expect(
    framesOf([
      frame({ ':message-type': text('exception'), ':exception-type': text('throttlingException') }, '{"message":"slow down"}'),
      frame({ ':message-type': text('error'), ':error-code': text('InternalError'), ':error-message': text('it broke') }, ''),
    ]),
  ).toEqual([
    { event: 'exception:throttlingException', data: '{"message":"slow down"}' },
    { event: 'error:InternalError', data: '{"message":"it broke"}' },
  ]);
});

test('headers of every type are read past', () => {
  const bytes = (length: number): Buffer => Buffer.alloc(length, 1);
  const headers: Record<string, HeaderValue> = {
    yes: [0, bytes(0)],
    no: [1, bytes(0)],
    byte: [2, bytes(1)],
    short: [3, bytes(2)],
    integer: [4, bytes(4)],
    long: [5, bytes(8)],
    blob: [6, Buffer.from([0, 3, 1, 2, 3])],
    time: [8, bytes(8)],
    uuid: [9, bytes(16)],
    ':message-type': text('event'),
    ':event-type': text('chunk'),
  };
  expect(framesOf([frame(headers, '{}')])).toEqual([{ event: 'chunk', data: '{}' }]);
});

test.each([
  ['a header of an unknown type', { x: [10, Buffer.alloc(0)] as HeaderValue }, 'type 10'],
  ['a header longer than the headers', { x: [7, Buffer.from([255, 255])] as HeaderValue }, 'past its end'],
  ['no message type', {}, 'message type'],
])('%s is an error', (_name, headers, message) =>
  expect(() => framesOf([frame(headers as Record<string, HeaderValue>, '')])).toThrow(message),
);

test.each([0, 15, 16 * 1024 * 1024 + 1])('a frame that claims to be %d bytes long is refused at once', (length) => {
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(length, 0);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  expect(() => new AwsEventStream().push(prelude, () => {})).toThrow('not allowed');
});

test('a large frame in small chunks is read in linear time', () => {
  const bytes = event('chunk', 'x'.repeat(8 * 1024 * 1024));
  expect(framesOf(sized(bytes, 512))[0]?.data.length).toBe(8 * 1024 * 1024);
}, 2_000);
