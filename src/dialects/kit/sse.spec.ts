import fc from 'fast-check';
import { eventData, SseSplitter } from './sse.js';

/** The data of every event when the bytes arrive in these chunks. */
function dataOf(chunks: Buffer[]): string[] {
  const splitter = new SseSplitter();
  const data: string[] = [];
  const visit = (buffer: Buffer, start: number, end: number) => {
    const text = eventData(buffer.toString('latin1', start, end));
    if (text !== null) data.push(Buffer.from(text, 'latin1').toString());
  };
  for (const chunk of chunks) splitter.push(chunk, visit);
  splitter.finish(visit);
  return data;
}

function cut(bytes: Buffer, at: number[]): Buffer[] {
  const points = [...new Set(at.map((point) => point % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...points].map((start, index) => bytes.subarray(start, points[index] ?? bytes.length));
}

const payload = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => `x${text.replace(/[\r\n]/g, '')}`);
const lineEnd = fc.constantFrom('\n', '\r\n', '\r');
const comment = fc.boolean();

test('events are the same however the bytes are cut, with any line end, comments between, and the last blank line missing', () => {
  fc.assert(
    fc.property(
      fc.array(payload, { minLength: 1, maxLength: 5 }),
      lineEnd,
      comment,
      fc.boolean(),
      fc.array(fc.nat(), { maxLength: 8 }),
      (payloads, end, comments, open, points) => {
        const events = payloads.map((data) => `${comments ? `: keep-alive${end}${end}` : ''}data: ${data}${end}${end}`).join('');
        const bytes = Buffer.from(open ? events.slice(0, -end.length) : events);
        expect(dataOf(cut(bytes, points))).toEqual(payloads);
      },
    ),
    { numRuns: 2_000 },
  );
});

test.each([
  ['several data lines are joined', 'data: a\ndata: b\n\n', ['a\nb']],
  ['the space after the colon is optional', 'data:a\n\n', ['a']],
  ['other fields are ignored', 'event: x\nid: 1\ndata: a\nretry: 5\n\n', ['a']],
  ['a byte-order mark is dropped', '\uFEFFdata: a\n\n', ['a']],
  ['comments are no events', ': ping\n\n', []],
])('%s', (_name, text, expected) => expect(dataOf([Buffer.from(text)])).toEqual(expected));

test('an event beyond 16 MiB is refused instead of kept', () => {
  const splitter = new SseSplitter();
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  expect(() => {
    for (let i = 0; i < 18; i++) splitter.push(chunk, () => {});
  }).toThrow('16 MiB');
});

test('a long event that comes in many small chunks is copied once', () => {
  const payload = 'x'.repeat(6_000_000);
  const bytes = Buffer.from(`data: ${payload}\n\ndata: y\n\n`);
  const chunks = Array.from({ length: Math.ceil(bytes.length / 200) }, (_, at) => bytes.subarray(at * 200, at * 200 + 200));
  let copied = 0;
  const concat = Buffer.concat;
  Buffer.concat = (list, length) => {
    const whole = concat(list, length);
    copied += whole.length;
    return whole;
  };
  try {
    expect(dataOf(chunks).map((data) => data.length)).toEqual([payload.length, 1]);
  } finally {
    Buffer.concat = concat;
  }
  expect(copied).toBeLessThan(2 * bytes.length);
});
