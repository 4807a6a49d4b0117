import fc from 'fast-check';
import { avif, gif, jpeg, pdf, png, webp } from '../../../test/support/media.js';
import { rulesOf } from '../../model-rules/index.js';
import { imageSize } from './image-size.js';
import { pdfPages } from './pdf-pages.js';
import { mediaSize } from './size.js';

const base64 = (bytes: Buffer) => bytes.toString('base64');
const side = fc.integer({ min: 1, max: 9_000 });

function pagesOf(bytes: Buffer): number | null {
  const counting = pdfPages(bytes);
  for (;;) {
    const { done, value } = counting.next();
    if (done) return value;
  }
}

test('the size of an image is read from its header, in every format', () => {
  fc.assert(
    fc.property(side, side, (width, height) => {
      for (const write of [(w: number, h: number) => jpeg(w, h, 10), gif, webp, avif])
        expect(imageSize(base64(write(width, height)))).toEqual({ width, height });
    }),
    { numRuns: 100, seed: 14 },
  );
  expect(imageSize(base64(png(3000, 20)))).toEqual({ width: 3000, height: 20 });
});

test('a header that cannot be true tells no size', () => {
  const truth = png(10, 10);
  const lie = Buffer.from(truth);
  lie.writeUInt32BE(1, 16);
  expect(imageSize(base64(lie))).toBeNull();
  expect(imageSize(base64(Buffer.concat([png(1, 1), Buffer.alloc(300_000)])))).toBeNull();
  expect(imageSize(base64(jpeg(1, 1, 300_000)))).toBeNull();
  expect(imageSize(base64(jpeg(100, 0, 10)))).toBeNull();
  expect(imageSize(base64(Buffer.from('BM not known here')))).toBeNull();
  // What is skipped by one decoder moves what another one sees.
  const spaced = base64(jpeg(50, 50, 10));
  expect(imageSize(`${spaced.slice(0, 100)}\n${spaced.slice(100)}`)).toBeNull();
});

test('no bytes at all make the reading of a header fail or hang', () => {
  const head = fc.constantFrom(png(1, 1), jpeg(1, 1, 0), gif(1, 1), webp(1, 1), avif(1, 1), Buffer.alloc(0));
  fc.assert(
    fc.property(head, fc.uint8Array({ maxLength: 400 }), fc.nat(400), (start, noise, cut) => {
      const size = imageSize(base64(Buffer.concat([start.subarray(0, cut), noise])));
      expect(size === null || (size.width > 0 && size.height > 0)).toBe(true);
    }),
    { numRuns: 2_000, seed: 14 },
  );
});

test.each([false, true])('pages of a PDF are counted, packed: %s', (packed) => {
  for (const pages of [1, 7, 600]) expect(pagesOf(pdf(pages, packed))).toBe(pages);
});

test('a PDF that hides its pages tells none', () => {
  expect(pagesOf(Buffer.from('%PDF-1.4 nothing'))).toBeNull();
  expect(pagesOf(Buffer.from('not a PDF /Type /Page'))).toBeNull();
  expect(pagesOf(Buffer.concat([pdf(1, false), Buffer.from('<< /Type /P#61ge >>')]))).toBeNull();
  expect(pagesOf(Buffer.concat([pdf(1, false), Buffer.from('<< /Type /ObjStm >> stream\nencrypted')]))).toBeNull();
  expect(pagesOf(Buffer.concat([pdf(1, false), Buffer.from('<< /Kids [1 0 R 1 0 R 1 0 R')]))).toBeNull();
});

test('no image costs more than the most its family counts', () => {
  const models = [
    'gpt-4o',
    'gpt-4o-mini',
    'gpt-5-nano',
    'o3',
    'gpt-5',
    'gpt-6-astra',
    'claude-sonnet-4-5',
    'claude-opus-5-5',
    'gemini-2.5-pro',
  ];
  const others = ['gemini-3-pro', 'pixtral-12b', 'qwen3-vl', 'llama-4-scout', 'grok-4', 'something-else'];
  fc.assert(
    fc.property(
      fc.constantFrom(...models, ...others),
      fc.integer({ min: 1, max: 70_000 }),
      fc.integer({ min: 1, max: 70_000 }),
      (model, w, h) => {
        const size = measured(
          { messages: [{ role: 'user', content: [image(png(1, 1)), image(jpeg(w % 65_535 || 1, h % 65_535 || 1, 0))] }] },
          model,
        );
        expect(size.tokens).toBeLessThanOrEqual(2 * rulesOf(model).media.mostImage);
        expect(size.tokens).toBeGreaterThan(0);
      },
    ),
    { seed: 14 },
  );
});

const image = (bytes: Buffer) => ({ type: 'image_url', image_url: { url: `data:image/png;base64,${base64(bytes)}` } });

function measured(body: Record<string, unknown>, model: string) {
  const measuring = mediaSize(body, model, null);
  for (;;) {
    const { done, value } = measuring.next();
    if (done) return value;
  }
}

/** As the vendors' pages and what was measured in public have it. */
test.each([
  ['gpt-4o', 1024, 1024, 765],
  ['gpt-4o', 2048, 4096, 1105],
  ['gpt-4o-mini', 128, 64, 8500],
  ['gpt-5-mini', 1024, 1024, 1659],
  ['o3', 512, 512, 225],
  ['gpt-5.5', 1024, 1024, 1229],
  ['gpt-6-astra', 4032, 3024, 14_364],
  ['claude-haiku-4-5', 1024, 1024, 1399],
  ['claude-haiku-4-5', 4032, 3024, 1600],
  ['claude-opus-5-5', 1920, 1080, 2765],
  ['claude-opus-5-5', 4032, 3024, 4784],
  ['gemini-2.5-flash', 300, 300, 258],
  ['gemini-2.5-flash', 960, 540, 1548],
  ['pixtral-12b', 1024, 1024, 4096],
])('%s counts an image of %ix%i as %i tokens', (model, width, height, tokens) => {
  expect(rulesOf(model).media.image(width, height)).toBe(tokens);
});

test.each([
  { type: 'document_url', document_url: 'https://example.com/a' },
  { type: 'document_url', document_url: { url: 'https://example.com/a' } },
  { type: 'file_url', file_url: { url: 'https://example.com/a' } },
  { type: 'pdf_url', pdf_url: { url: 'https://example.com/a' } },
  { type: 'kind_to_come', kind_to_come: { url: 'https://example.com/a' } },
  { type: 'kind_to_come', of: ['gs://bucket/a', 's3://bucket/b'] },
  { file_url: { url: 'https://example.com/a' } },
])('%j may be as long as the window: nobody knows what is there', (part) => {
  const { tokens } = measured({ messages: [{ role: 'user', content: [part] }] }, 'something-else');
  expect(tokens).toBe(rulesOf('something-else').media.window);
});

test('a part of an unknown kind that points nowhere is an image at most', () => {
  const { tokens } = measured({ messages: [{ role: 'user', content: [{ type: 'kind_to_come', value: 'see https://example.com' }] }] }, 'm');
  expect(tokens).toBe(rulesOf('m').media.mostImage);
});

test('what lies in the input of a tool is text, whatever it looks like', () => {
  const looks = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: base64(png(1, 1)) } };
  const use = { type: 'tool_use', id: 't', name: 'f', input: looks };
  expect(measured({ messages: [{ role: 'assistant', content: [use] }] }, 'claude-opus-5-5')).toMatchObject({ bytes: 0, tokens: 0 });
});

test('no number of media and no document is looked at for 50 ms in one go', () => {
  const many = { messages: [{ role: 'user', content: Array.from({ length: 50_000 }, () => image(gif(9, 9))) }] };
  const hostile = ['#', '/P#61', '<</Kids[', '/ObjStm stream\n', '/Count 1 '].map((text) =>
    Buffer.from(text.repeat(8_000_000 / text.length)),
  );
  const documents = hostile.map((bytes) => ({
    messages: [{ role: 'user', content: [{ type: 'file', file: { file_data: base64(Buffer.concat([pdf(1, true), bytes])) } }] }],
  }));
  for (const body of [many, ...documents]) expect(leastStep(body)).toBeLessThan(50);
});

/** Of a few runs: collecting garbage, compiling and what else the machine does are no work of a step. */
function leastStep(body: Record<string, unknown>): number {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let runs = 0; runs < 12 && leastMs >= 50; runs++) leastMs = Math.min(leastMs, longestStep(body));
  return leastMs;
}

/** CPU time in ms. */
function longestStep(body: Record<string, unknown>): number {
  const measuring = mediaSize(body, 'gpt-4o', null);
  let longest = 0;
  for (let done = false; !done; ) {
    const before = process.cpuUsage();
    done = measuring.next().done!;
    const { user, system } = process.cpuUsage(before);
    longest = Math.max(longest, (user + system) / 1_000);
  }
  return longest;
}
